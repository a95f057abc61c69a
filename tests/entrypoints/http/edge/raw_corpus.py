"""
Requests that are not good HTTP, or barely: bytes on the wire, and the required answer of the server to each.

A proxy and a server that disagree about where a request ends let one request hide in another. So each case is sent with
a whole second request behind it, which must be answered only where the first one's end is beyond doubt.
"""

from __future__ import annotations

from attrs import field, frozen

from tests.support.archives import make_targz

ARCHIVE = make_targz()
LARGE_BYTES = 1 << 20
PUT = b"PUT /api/v1/profiles/framing/archives/FULL/%s HTTP/1.1\r\nHost: localhost\r\n"
GET = b"GET /healthz HTTP/1.1\r\n"
GOOD = GET + b"Host: localhost\r\n"
CHUNKED = PUT % b"chunked.tar.gz" + b"Transfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: "

CODES = {400: "bad-request-framing", 408: "request-timeout", 431: "headers-too-large"}


@frozen
class Case:
    """
    The bytes *sent*, and the statuses with which the server may answer them.

    More than one if timing decides whether a good request is answered before the error behind it is
    seen. *goes_on*: the connection stays open, and the next bytes are a request of their own.
    """

    what: str
    sent: bytes
    answers: tuple[tuple[int, ...], ...] = ((400,),)
    goes_on: bool = False

    def __str__(self) -> str:
        return self.what


@frozen
class _Chunks:
    """A chunked upload of `ARCHIVE`, each piece of which can be made wrong."""

    head: bytes = CHUNKED
    size: bytes = field(default=b"%x" % len(ARCHIVE))
    after_size: bytes = b"\r\n"
    after_data: bytes = b"\r\n"
    last: bytes = b"0\r\n"
    trailers: bytes = b""

    @property
    def sent(self) -> bytes:
        chunk = self.size + self.after_size + ARCHIVE + self.after_data
        return self.head + chunk + self.last + self.trailers + b"\r\n"


def _coded(value: bytes) -> bytes:
    """A chunked upload whose Transfer-Encoding is *value*."""
    return _Chunks(head=CHUNKED.replace(b": chunked", b": " + value)).sent


def _sized(value: bytes) -> bytes:
    """An upload whose Content-Length is *value*."""
    return PUT % b"sized.tar.gz" + b"Content-Length: " + value + b"\r\n\r\n" + ARCHIVE


def _refused(status: int, **sent: bytes) -> list[Case]:
    return [Case(what.replace("_", " "), each, ((status,),)) for what, each in sent.items()]


def _taken(status: int, **sent: bytes) -> list[Case]:
    return [Case(what.replace("_", " "), each, ((status,),), goes_on=True) for what, each in sent.items()]


LENGTHS = [
    *_refused(
        400,
        length_and_chunked=PUT % b"a.tar.gz" + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        chunked_and_length=PUT % b"a.tar.gz" + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        length_and_unknown_coding=PUT % b"a.tar.gz" + b"Transfer-Encoding: x\r\nContent-Length: 5\r\n\r\nhello",
        length_and_identity=PUT % b"a.tar.gz" + b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        length_and_empty_coding=PUT % b"a.tar.gz" + b"Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello",
        two_lengths=PUT % b"a.tar.gz" + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        two_equal_lengths=PUT % b"a.tar.gz" + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        lengths_in_a_list=_sized(b"5, 5"),
        negative_length=_sized(b"-5"),
        signed_length=_sized(b"+5"),
        hexadecimal_length=_sized(b"0x5"),
        length_with_a_space_in_it=_sized(b"5 5"),
        length_with_a_point=_sized(b"5.0"),
        length_with_an_underscore=_sized(b"1_0"),
        length_in_other_digits=_sized("\N{ARABIC-INDIC DIGIT FIVE}".encode()),
        length_beyond_64_bits=_sized(b"99999999999999999999999"),
        empty_length=_sized(b""),
    ),
    *_taken(
        201,
        length_with_zeros=_sized(b"%012d" % len(ARCHIVE)),
        length_before_spaces=_sized(b"%d \t" % len(ARCHIVE)),
    ),
    # bytes beyond its length are the beginning of the next request, which is not valid
    Case("body longer than its length", GOOD + b"Content-Length: 0\r\n\r\nhello", ((400,), (200, 400))),
    # this body is not read, so the connection ends with the answer
    Case("body of a GET", GOOD + b"Content-Length: 5\r\n\r\nhello", ((200,),)),
    Case("chunks of a GET", GOOD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ((200,),)),
    *_taken(422, underscore_length=PUT % b"a.tar.gz" + b"Content_Length: 5\r\n\r\n"),
]

CODINGS = [
    *_refused(
        400,
        chunked_twice=_coded(b"chunked, chunked"),
        chunked_in_two_headers=_coded(b"chunked\r\nTransfer-Encoding: chunked"),
        chunked_not_last=_coded(b"chunked, identity"),
        unknown_coding=_coded(b"xchunked"),
        another_coding_below=_coded(b"gzip, chunked"),
        empty_element_before_chunked=_coded(b", chunked"),
        empty_element_behind_chunked=_coded(b"chunked,"),
        chunked_in_quotes=_coded(b'"chunked"'),
        chunked_with_a_parameter=_coded(b"chunked;q=1"),
        coding_behind_a_vertical_tab=_coded(b"\x0bchunked"),
        coding_before_spaces=_coded(b"chunked \t"),
        coding_on_a_line_of_its_own=_coded(b"\r\n chunked"),
        space_before_a_colon=PUT % b"a.tar.gz" + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        chunked_in_HTTP_1_0=_Chunks(head=CHUNKED.replace(b"HTTP/1.1", b"HTTP/1.0")).sent,
    ),
    *_taken(201, chunked_in_capitals=_coded(b"CHUNKED")),
]

CHUNKS = [
    *_refused(
        400,
        chunk_size_that_is_no_number=_Chunks(size=b"xyz").sent,
        empty_chunk_size=_Chunks(size=b"").sent,
        negative_chunk_size=_Chunks(size=b"-5").sent,
        chunk_size_beyond_64_bits=_Chunks(size=b"fffffffffffffffff").sent,
        chunk_longer_than_its_size=_Chunks(size=b"2").sent,
        chunk_size_in_0x=_Chunks(size=b"0x5").sent,
        chunk_size_before_a_space=_Chunks(after_size=b" \r\n").sent,
        chunk_size_before_a_line_feed=_Chunks(after_size=b"\n").sent,
        chunk_data_before_a_line_feed=_Chunks(after_data=b"\n").sent,
        last_chunk_before_a_line_feed=_Chunks(last=b"0\n").sent,
        line_feed_in_a_chunk_extension=_Chunks(after_size=b";a\nb\r\n").sent,
        carriage_return_in_a_chunk_extension=_Chunks(after_size=b";a\rb\r\n").sent,
        NUL_in_a_chunk_extension=_Chunks(after_size=b";a\0b\r\n").sent,
        length_in_a_trailer=_Chunks(trailers=b"Content-Length: 5\r\n").sent,
        coding_in_a_trailer=_Chunks(trailers=b"Transfer-Encoding: chunked\r\n").sent,
        trailer_without_a_colon=_Chunks(trailers=b"nonsense\r\n").sent,
        trailer_before_a_line_feed=_Chunks(trailers=b"X: y\n").sent,
    ),
    *_refused(
        431,
        endless_chunk_extension=CHUNKED + b"5;" + b"x" * LARGE_BYTES,
        endless_trailer=CHUNKED + b"5\r\nhello\r\n0\r\nX: " + b"y" * LARGE_BYTES,
        trailers_without_end=CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: y\r\n" * (LARGE_BYTES // 6),
    ),
    *_taken(
        201,
        chunk_extension=_Chunks(after_size=b";a=b\r\n").sent,
        quoted_chunk_extension=_Chunks(after_size=b';a="b;c"\r\n').sent,
        trailer=_Chunks(trailers=b"X: y\r\n").sent,
        Host_in_a_trailer=_Chunks(trailers=b"Host: b\r\n").sent,
    ),
]

HEADERS = [
    *_refused(
        400,
        no_Host=GET + b"\r\n",
        two_Hosts=GET + b"Host: localhost\r\nHost: b\r\n\r\n",
        two_equal_Hosts=GET + b"Host: localhost\r\nHost: a\r\n\r\n",
        Hosts_in_a_list=GET + b"Host: a, b\r\n\r\n",
        empty_Host=GET + b"Host:\r\n\r\n",
        Host_with_a_path=GET + b"Host: a/b\r\n\r\n",
        Host_with_a_user=GET + b"Host: b@a\r\n\r\n",
        Host_with_a_space=GET + b"Host: a b\r\n\r\n",
        Host_and_folded_line=GET + b"Host: localhost\r\n b\r\n\r\n",
        folded_header=GOOD + b"X: b\r\n c\r\n\r\n",
        space_before_the_first_header=GET + b" Host: localhost\r\n\r\n",
        bare_line_feeds=b"GET /healthz HTTP/1.1\nHost: a\n\n",
        one_bare_line_feed=GET + b"Host: a\nX: b\r\n\r\n",
        line_feed_for_the_empty_line=GOOD + b"\n",
        bare_carriage_returns=b"GET /healthz HTTP/1.1\rHost: a\r\r",
        carriage_return_in_a_header=GOOD + b"X: a\rb\r\n\r\n",
        NUL_in_a_header=GOOD + b"X: a\0b\r\n\r\n",
        DEL_in_a_header=GOOD + b"X: \x7f\r\n\r\n",
        control_character_in_a_name=GOOD + b"X\x01: a\r\n\r\n",
        raw_bytes_in_a_name=GOOD + b"\xc3\xa4: a\r\n\r\n",
        header_without_a_colon=GOOD + b"nonsense\r\n\r\n",
        header_without_a_name=GOOD + b": x\r\n\r\n",
    ),
    *_refused(
        431,
        long_value=GOOD + b"X: " + b"y" * 40_000 + b"\r\n\r\n",
        endless_value=GOOD + b"X: " + b"y" * LARGE_BYTES,
        endless_name=GOOD + b"y" * LARGE_BYTES,
        too_many_headers=GOOD + b"X: y\r\n" * 100 + b"\r\n",
        headers_without_end=GOOD + b"X: y\r\n" * 200,
        long_target=b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        endless_target=b"GET /" + b"y" * LARGE_BYTES,
        empty_lines_without_end=b"\r\n" * (LARGE_BYTES // 2),
    ),
    *_taken(
        200,
        as_many_headers_as_allowed=GOOD + b"X: y\r\n" * 99 + b"\r\n",
        as_long_a_head_as_allowed=GOOD + b"X: " + b"y" * 32_000 + b"\r\n\r\n",
        Host_with_a_port=GET + b"Host: a.example_1-2.org:80\r\n\r\n",
        Host_of_IPv6=GET + b"Host: [::1]:5000\r\n\r\n",
        empty_lines_before=b"\r\n\r\n" + GOOD + b"\r\n",
    ),
]

TARGETS = [
    *_refused(
        400,
        space_in_a_target=b"GET /list/FULL /x HTTP/1.1\r\nHost: localhost\r\n\r\n",
        raw_bytes_in_a_target=b"GET /list/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
        relative_target=b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        target_without_a_path=b"GET http://other HTTP/1.1\r\nHost: localhost\r\n\r\n",
        authority_for_a_target=b"GET a:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        CONNECT=b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
        space_before_the_method=b" " + GOOD + b"\r\n",
        tab_before_the_target=b"GET\t/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        method_in_lower_case=b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        unknown_method=b"FROBNICATE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    *_taken(200, absolute_target=b"GET http://other/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    *_taken(
        404,
        target_that_looks_like_a_host=b"GET //other/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        asterisk=b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ),
    *_taken(405, TRACE=b"TRACE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"),
]

PROTOCOLS = [
    *_refused(
        400,
        TLS_hello=b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
        another_protocol=b"SSH-2.0-OpenSSH_9.2\r\n",
        noise=bytes(range(255, 0, -1)),
        HTTP_2_by_prior_knowledge=b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        HTTP_2_in_the_line=b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
        HTTP_3_7=b"GET /healthz HTTP/3.7\r\nHost: localhost\r\n\r\n",
        HTTP_1_2=b"GET /healthz HTTP/1.2\r\nHost: localhost\r\n\r\n",
        HTTP_1_01=b"GET /healthz HTTP/1.01\r\nHost: localhost\r\n\r\n",
        HTTP_in_lower_case=b"GET /healthz http/1.1\r\nHost: localhost\r\n\r\n",
        HTTP_0_9=b"GET /healthz\r\n",
        HTTP_0_9_in_the_line=b"GET /healthz HTTP/0.9\r\nHost: localhost\r\n\r\n",
        websocket=GOOD + UPGRADE + b"websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
        h2c=GOOD + b"HTTP2-Settings: AA\r\n" + UPGRADE + b"h2c\r\n\r\n",
    ),
    # not HTTP, and answered as what it resembles: HTTP/1.0, after whose answer the connection ends
    Case("RTSP", b"DESCRIBE /healthz RTSP/1.0\r\nHost: localhost\r\n\r\n", ((405,), (400,))),
    Case("HTTP 1.0", b"GET /healthz HTTP/1.0\r\n\r\n", ((200,),)),
    Case("HTTP 1.0 that would go on", b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", ((200,),)),
    Case("the last of a connection", GOOD + b"Connection: close\r\n\r\n", ((200,),)),
    *_taken(200, upgrade_that_is_not_meant=GOOD + b"Upgrade: h2c\r\n\r\n"),
]

BEHIND = [
    Case("garbage behind a good request", GOOD + b"\r\ngarbage\r\n\r\n", ((400,), (200, 400))),
    Case("no Host behind a good request", GOOD + b"\r\n" + GET + b"\r\n", ((400,), (200, 400))),
    Case("upgrade behind a good request", GOOD + b"\r\n" + GOOD + UPGRADE + b"h2c\r\n\r\n", ((400,), (200, 400))),
    Case(
        "both lengths behind a good request",
        GOOD + b"\r\n" + PUT % b"a.tar.gz" + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ((400,), (200, 400)),
    ),
    Case("garbage behind the last of a connection", GOOD + b"Connection: close\r\n\r\ngarbage", ((400,), (200,))),
]

FRAMING = [*LENGTHS, *CODINGS, *CHUNKS, *HEADERS, *TARGETS, *PROTOCOLS, *BEHIND]

SLOW = _refused(
    408,
    nothing=b"",
    one_letter=b"G",
    one_line=GET,
    half_a_header=GOOD + b"X: y",
    empty_line=b"\r\n",
    head_of_a_body=PUT % b"slow.tar.gz" + b"Content-Length: 1000\r\n\r\n",
    half_a_body=PUT % b"slow.tar.gz" + b"Content-Length: 1000\r\n\r\n" + ARCHIVE[:20],
    half_a_chunk_size=CHUNKED + b"5",
    half_a_chunk=CHUNKED + b"5\r\nhe",
    half_a_chunk_extension=CHUNKED + b"5;x",
    no_last_chunk=_Chunks(last=b"").sent[:-2],
    half_a_trailer=CHUNKED + b"5\r\nhello\r\n0\r\nX: y",
    no_end_of_the_trailers=CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n",
)
