// The example of @tus/server's documentation, on a free port that it prints: `node server.js FOLDER`.
import { FileStore } from "@tus/file-store";
import { Server } from "@tus/server";

const [directory] = process.argv.slice(2);
const server = new Server({
  path: "/files",
  maxSize: 1 << 20,
  datastore: new FileStore({ directory, expirationPeriodInMilliseconds: 24 * 3600 * 1000 }),
});
const listening = server.listen({ host: "127.0.0.1", port: 0 }, () => console.log(listening.address().port));
