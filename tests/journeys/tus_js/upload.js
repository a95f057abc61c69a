// Uploads one archive with tus-js-client: `node upload.js JSON` with file, endpoint, metadata, and options of its Upload.
// It prints one line of JSON: the upload's url, the Tarkeep-Archive of the last answer, and each request with its status.
// With pauseAfter it breaks off once so many bytes are on their way, as a person does who presses "pause".
import { createReadStream } from "node:fs";
import { PassThrough } from "node:stream";
import { Upload } from "tus-js-client";

const { file, pauseAfter, ...options } = JSON.parse(process.argv[2]);
const requests = [];
// of a file it knows the length; what is told at the end must come from something else
const source = options.uploadLengthDeferred ? createReadStream(file).pipe(new PassThrough()) : createReadStream(file);

function end(outcome) {
  console.log(JSON.stringify({ url: upload.url, requests, ...outcome }));
}

const upload = new Upload(source, {
  chunkSize: 3 << 20,
  ...options,
  onAfterResponse(request, response) {
    requests.push([request.getMethod(), response.getStatus(), Number(response.getHeader("Upload-Offset") ?? -1)]);
  },
  onProgress(sent) {
    if (pauseAfter !== undefined && sent > pauseAfter) {
      upload.abort().then(() => end({ paused: true }));
    }
  },
  onSuccess({ lastResponse }) {
    end({ archive: lastResponse.getHeader("Tarkeep-Archive") ?? null });
  },
  onError(error) {
    end({ error: String(error) });
    process.exitCode = 1;
  },
});
upload.start();
