#!/bin/sh
# Sends the archives below BACKUP_DIR to a Tarkeep server. An archive counts as sent only when the server answers that
# it is stored; a run ends with 0 only when that is so for every one of them.
set -eu

# Names are bytes here; the server judges whether they are good UTF-8.
LC_ALL=C
export LC_ALL

SERVER_URL=${SERVER_URL:-http://127.0.0.1:5000}
SERVER_URL=${SERVER_URL%/}
BACKUP_DIR=${BACKUP_DIR:-./backups}
# A password in it is not for logs, nor is what stands behind ? or #; with an @ there, nobody knows where the host ends.
shown_url=$(printf '%s\n' "$SERVER_URL" | sed -e 's,//[^/?#]*@,//,' -e '/@/s,//.*,//...,' -e 's,[?#].*,,')

usage() {
    cat <<'TEXT'
usage: upload.sh PROFILE [--all] [--resume]

Sends the newest archive of each type, or with --all every archive, from
BACKUP_DIR/FULL, BACKUP_DIR/INC and BACKUP_DIR/DIFF. The server is asked first,
and what it has already, or has removed by its retention policy, is not sent.
PROFILE names the backed-up machine or tree: letters, digits and ._-

With --resume an archive of more than RESUME_OVER bytes is sent in an upload
that goes on where it stopped when the line breaks, up to RESUME_TRIES times.

  SERVER_URL   the server, default http://127.0.0.1:5000
  BACKUP_DIR   the folder of archives, default ./backups
  RESUME_OVER  with --resume, default 8000000
  RESUME_TRIES with --resume, default 20
  RESUME_PAUSE with --resume, seconds between tries, default 5

Exit status: 0 everything is stored, 1 something is not or there is nothing to
send, 2 wrong usage, 3 everything is stored and standard output could not be
written. Errors go to standard error, the rest to standard output.
TEXT
}

wrong_usage() {
    printf 'upload.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'upload.sh: %s\n' "$1" >&2
    exit 1
}

printable() {
    case $1 in
    *[[:cntrl:]]*) printf '%s' "$1" | tr '[:cntrl:]' '?' ;;
    *) printf '%s' "$1" ;;
    esac
}

# What is said is not what matters: the work goes on where nobody reads it, or where it cannot be written.
say() {
    { printf '%s\n' "$1"; } 2>/dev/null || unsaid=yes
}

complain() {
    printf '%s\n' "$1" >&2 || :
}

choose_digest() {
    if command -v sha256sum >/dev/null; then
        algorithm=sha256 digest_command=sha256sum
    elif command -v shasum >/dev/null; then
        algorithm=sha256 digest_command='shasum -a 256'
    elif command -v md5sum >/dev/null; then
        algorithm=md5 digest_command=md5sum
    else
        fail 'needs sha256sum, shasum or md5sum'
    fi
}

# The string member $1 of the JSON object in the answer. Within a string every quote has a backslash before it, so the
# pattern can match a member only.
answered() {
    sed -n 's/.*"'"$1"'": *"\([^"\\]*\(\\.[^"\\]*\)*\)".*/\1/p' "$scratch/answer" | sed 's/\\\(["\\/]\)/\1/g'
}

# The newest of the archives in $1 by modification time, the last by name of those equally new.
newest_in() {
    newest=
    for file in "$1"/*.tar.gz; do
        [ -e "$file" ] || [ -L "$file" ] || continue
        # shellcheck disable=SC3013  # POSIX has -nt since 2024, the shells had it long before
        if [ -z "$newest" ] || ! [ "$newest" -nt "$file" ]; then
            newest=$file
        fi
    done
}

refused() {
    failed=$((failed + 1))
    complain "$label: not stored: $1"
}

base64_of() {
    printf %s "$1" | base64 | tr -d '\n'
}

# The header $1 of the answer.
header() {
    tr -d '\r' <"$scratch/headers" | sed -n "s/^$1: *//Ip"
}

# The refusal of an answer $http_status that no sentence came with: from a proxy, or an answer to HEAD.
without_words() {
    case $http_status in
    401) refused "$shown_url wants a login or a token, or another one (401)" ;;
    403) refused "$shown_url does not allow this (403): a proxy before it, or a token without the scope push" ;;
    404 | 410) refused "the server does not know this upload any more ($http_status); run this again" ;;
    413) refused "too large for $shown_url (413): raise the limit of the server or of the proxy before it" ;;
    *) refused "unexpected answer $http_status; is $shown_url a Tarkeep server?" ;;
    esac
}

# Whether the server has the archive $name of type $1 with the bytes whose digest is $digest, or had it. No answer, or one that
# says nothing, such as that of a server older than this script, is no: then the archive is sent. $how is how it is said
# then that it is stored: what is known to be damaged there is answered 500. Bytes that the server's retention policy
# removed, answered 410, need not be sent either: they would be removed again.
is_stored() {
    how=stored
    [ "$algorithm" = sha256 ] || return 1 # what the server tells is the SHA-256
    place=$(printf %s "$name" | od -An -v -tx1 | tr -d '\n' | tr ' ' '%')
    http_status=$(curl -sS -g --connect-timeout 20 --max-time 300 -I -o "$scratch/headers" -w '%{http_code}' \
        "$SERVER_URL/api/v1/profiles/$profile/archives/$1/$place" 2>/dev/null) || return 1
    [ "$http_status" != 500 ] || how=$repaired
    { [ "$http_status" = 200 ] || [ "$http_status" = 410 ]; } && [ "$(header etag)" = "\"${digest%% *}\"" ]
}

# Sends the archive $2 as type $1 in as many requests as it takes: HEAD tells how many bytes the server has on its disk,
# curl -C sends the rest. $name, $label, $digest and $algorithm are those of send.
send_resumable() {
    size=$(wc -c <"$2" | tr -d ' ')
    about="filename $(base64_of "$name"),profile $(base64_of "$profile"),type $(base64_of "$1")"
    about="$about,$algorithm $(base64_of "${digest%% *}")"
    : >"$scratch/answer"
    if ! http_status=$(curl -sS -g --connect-timeout 20 --max-time 300 -X POST -D "$scratch/headers" \
        -H 'Tus-Resumable: 1.0.0' -H "Upload-Length: $size" -H "Upload-Metadata: $about" \
        -o "$scratch/answer" -w '%{http_code}' "$SERVER_URL/api/v1/uploads" 2>"$scratch/trouble"); then
        unreachable=yes
        unsent=$((unsent + 1))
        complain "upload.sh: no answer from $shown_url: $(sed -n '1s/^curl: ([0-9]*) //p' "$scratch/trouble")"
        return
    fi
    if [ "$http_status" != 201 ]; then
        sentence=$(answered error)
        if [ -n "$sentence" ]; then refused "$sentence"; else without_words; fi
        return
    fi
    upload=$(header location)
    upload=$SERVER_URL/api/v1/uploads/${upload##*/} # a proxy may have put its own path before it
    tries=0
    while :; do
        : >"$scratch/answer"
        offset=
        if curl -sS -g --connect-timeout 20 --max-time 300 -I "$upload" >"$scratch/headers" 2>"$scratch/trouble"; then
            offset=$(header upload-offset)
        fi
        http_status=$(sed -n 's/^HTTP[^ ]* \([0-9]*\).*/\1/p' "$scratch/headers" | tail -n 1)
        case $http_status in
        408 | 423 | 429) ;;
        4*)
            without_words
            return
            ;;
        esac
        if [ "$offset" = "$size" ]; then
            stored=$((stored + 1))
            say "$label: $how"
            return
        fi
        if [ -n "$offset" ]; then
            http_status=$(curl -sS -g --connect-timeout 20 --speed-limit 1 --speed-time 300 -C "$offset" \
                -o "$scratch/answer" -w '%{http_code}' -T "$2" "$upload" 2>"$scratch/trouble") || : # an answer counts also where the line broke behind it
            case $http_status in
            201)
                stored=$((stored + 1))
                say "$label: $how"
                return
                ;;
            '' | 000 | 1* | 408 | 423 | 429 | 5*) ;;
            409) [ "$(answered code)" = offset-mismatch ] || break ;;
            *) break ;;
            esac
        fi
        tries=$((tries + 1))
        [ "$tries" -lt "$RESUME_TRIES" ] || break
        sleep "$RESUME_PAUSE"
    done
    sentence=$(answered error)
    if [ -n "$sentence" ]; then
        refused "$sentence"
        return
    fi
    case $http_status in
    '' | 000 | 1* | 2*) refused "the line broke each time ($tries); run this again" ;;
    *) without_words ;;
    esac
}

# Sends the archive $2 as type $1, and says what became of it.
send() {
    name=${2##*/}
    label=$1/$(printable "$name")
    if [ -n "$unreachable" ]; then
        unsent=$((unsent + 1))
        return
    fi
    if ! [ -f "$2" ]; then # a pipe or a device would be read for ever
        refused 'it is no file, or a link to nothing'
        return
    fi
    # Declared beforehand, so that the server refuses what was changed on the way or while it was read.
    if ! digest=$($digest_command 2>/dev/null <"$2"); then
        refused 'the file cannot be read'
        return
    fi
    if is_stored "$1"; then
        if [ "$http_status" = 410 ]; then
            removed=$((removed + 1))
            say "$label: removed there by the retention policy, not sent again"
        else
            already=$((already + 1))
            say "$label: stored already"
        fi
        return
    fi
    if [ -n "$resume" ] && [ "$(wc -c <"$2")" -gt "$RESUME_OVER" ]; then
        send_resumable "$1" "$2"
        return
    fi
    path=$(printf '%s\n' "$2" | sed 's/[\\"]/\\&/g') # in quotes, curl takes ; and , for part of the name
    : >"$scratch/answer"
    curl_status=0
    # Without a byte in either direction for five minutes it gives up: a job of cron must not hang for ever.
    http_status=$(curl -sS -g --connect-timeout 20 --speed-limit 1 --speed-time 300 \
        -o "$scratch/answer" -w '%{http_code}' \
        --form-string "type=$1" --form-string "profile=$profile" --form-string "$algorithm=${digest%% *}" \
        -F "file=@\"$path\"" "$SERVER_URL/upload" 2>"$scratch/trouble") || curl_status=$?

    if [ "$curl_status" -eq 0 ] && [ "$http_status" = 201 ]; then
        stored_name=$(answered file)
        if grep -q '"repaired": *true' "$scratch/answer"; then
            stored=$((stored + 1))
            say "$label: $repaired"
        elif grep -q '"duplicate": *true' "$scratch/answer"; then
            already=$((already + 1))
            say "$label: stored already"
        else
            stored=$((stored + 1))
            if [ "$stored_name" = "$name" ]; then
                say "$label: stored"
            else
                say "$label: stored as $stored_name"
            fi
        fi
        return
    fi
    sentence=$(answered error)
    if [ -n "$sentence" ]; then
        refused "$sentence"
        return
    fi
    trouble=$(sed -n '1s/^curl: ([0-9]*) //p' "$scratch/trouble")
    case $curl_status in
    0) without_words ;;
    3 | 5 | 6 | 7 | 28)
        unreachable=yes
        unsent=$((unsent + 1))
        complain "upload.sh: no answer from $shown_url: $trouble"
        ;;
    *) refused "${trouble:-curl failed with $curl_status}" ;;
    esac
}

profile=
all=
resume=
RESUME_OVER=${RESUME_OVER:-8000000}
RESUME_TRIES=${RESUME_TRIES:-20}
RESUME_PAUSE=${RESUME_PAUSE:-5}
for argument in "$@"; do
    case $argument in
    -h | --help)
        usage
        exit 0
        ;;
    --all) all=yes ;;
    --resume) resume=yes ;;
    -*) wrong_usage "unknown option $argument" ;;
    '') wrong_usage 'PROFILE is empty' ;;
    *)
        [ -z "$profile" ] || wrong_usage "one PROFILE only, got $profile and $argument"
        profile=$argument
        ;;
    esac
done
[ -n "$profile" ] || wrong_usage 'PROFILE is missing'

command -v curl >/dev/null || fail 'needs curl, which is not installed'
choose_digest
[ -d "$BACKUP_DIR" ] || fail "BACKUP_DIR $BACKUP_DIR is not a directory"

scratch=$(mktemp -d "${TMPDIR:-/tmp}/tarkeep-upload.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'unread=yes' PIPE
(: 3>&1) 2>/dev/null || exec >/dev/null # where it is closed nobody wants to read

stored=0 already=0 removed=0 failed=0 unsent=0
unreachable='' unsaid='' unread=''
repaired='repaired, it was damaged there'
for type in FULL INC DIFF; do
    label=$BACKUP_DIR/$type
    if { [ -e "$label" ] || [ -L "$label" ]; } && ! [ -d "$label" ]; then
        refused 'it is no folder, or a link to nothing'
    elif [ -d "$label" ] && { ! [ -r "$label" ] || ! [ -x "$label" ]; }; then
        refused 'the folder cannot be read'
    elif [ -n "$all" ]; then
        for file in "$BACKUP_DIR/$type"/*.tar.gz; do
            [ -e "$file" ] || [ -L "$file" ] || continue
            send "$type" "$file"
        done
    else
        newest_in "$BACKUP_DIR/$type"
        [ -z "$newest" ] || send "$type" "$newest"
    fi
done

[ $((stored + already + removed + failed + unsent)) -gt 0 ] ||
    fail "nothing to send: no .tar.gz in FULL, INC or DIFF below $BACKUP_DIR"
summary="$profile at $shown_url: $stored stored, $already stored already, $failed failed"
[ "$removed" -eq 0 ] || summary="$summary, $removed removed there by the retention policy"
[ "$unsent" -eq 0 ] || summary="$summary, $unsent not sent"
say "$summary"
[ $((failed + unsent)) -eq 0 ] || exit 1
if [ -n "$unsaid" ] && [ -z "$unread" ]; then
    complain 'upload.sh: standard output cannot be written; the work itself was done'
    exit 3
fi
