#!/bin/sh
# Compares the archives below BACKUP_DIR with those of a Tarkeep server, by digest. It ends with 0 only when the server
# has found every archive of either side on the other, with the same bytes.
set -eu

# Names are bytes here, on their way into JSON and out of it.
LC_ALL=C
export LC_ALL

SERVER_URL=${SERVER_URL:-http://127.0.0.1:5000}
SERVER_URL=${SERVER_URL%/}
BACKUP_DIR=${BACKUP_DIR:-./backups}
# A password in it is not for logs, nor is what stands behind ? or #; with an @ there, nobody knows where the host ends.
shown_url=$(printf '%s\n' "$SERVER_URL" | sed -e 's,//[^/?#]*@,//,' -e '/@/s,//.*,//...,' -e 's,[?#].*,,')

usage() {
    cat <<'TEXT'
usage: verify_sync.sh [--report] [--profile NAME]
       verify_sync.sh --stats

Compares BACKUP_DIR/FULL, BACKUP_DIR/INC and BACKUP_DIR/DIFF with the server and
prints what is not the same on both sides.

  --report         print every archive, also what is the same
  --stats          print how much the server holds, and compare nothing
  --profile NAME   compare with this profile only, not with all the server has

  SERVER_URL   the server, default http://127.0.0.1:5000
  BACKUP_DIR   the folder of archives, default ./backups
  PROFILE      like --profile

Exit status: 0 SYNCHRONIZED, 1 OUT_OF_SYNC, 2 wrong usage, 3 not everything
could be compared: no answer from the server, no folder BACKUP_DIR, or one
below it that cannot be read.
TEXT
}

wrong_usage() {
    printf 'verify_sync.sh: %s\n\n' "$1" >&2
    usage >&2
    exit 2
}

fail() {
    printf 'verify_sync.sh: %s\n' "$1" >&2
    exit 3
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

# $1 as a JSON string. Bytes that are not UTF-8 become \xNN: no name on the server can be that, so it is reported as
# missing there instead of making the whole inventory unreadable.
json_string() {
    case $1 in
    *[!A-Za-z0-9\ ._+@=,\(\)-]*) ;;
    *)
        printf '"%s"' "$1"
        return
        ;;
    esac
    printf '%s' "$1" | od -An -v -tx1 | awk '
        { for (i = 1; i <= NF; i++) hex[n++] = $i }
        function byte(i) {
            return 16 * index("123456789abcdef", substr(hex[i], 1, 1)) + index("123456789abcdef", substr(hex[i], 2, 1))
        }
        function unicode(code) {
            if (code > 65535) {
                unicode(55296 + int((code - 65536) / 1024))
                unicode(56320 + code % 1024)
            } else if (code < 32 || code > 126 || code == 34 || code == 92)
                printf "\\u%04x", code
            else
                printf "%c", code
        }
        END {
            printf "\""
            for (i = 0; i < n; i += more + 1) {
                code = byte(i)
                more = code < 128 ? 0 : code < 194 ? -1 : code < 224 ? 1 : code < 240 ? 2 : code < 245 ? 3 : -1
                if (more > 0) code -= more == 1 ? 192 : more == 2 ? 224 : 240
                for (k = 1; k <= more; k++) {
                    if (byte(i + k) < 128 || byte(i + k) > 191) more = -1
                    code = code * 64 + byte(i + k) - 128
                }
                if (more == 2 && (code < 2048 || (code > 55295 && code < 57344))) more = -1
                if (more == 3 && (code < 65536 || code > 1114111)) more = -1
                if (more < 0) {
                    printf "\\\\x%s", hex[i]
                    more = 0
                } else
                    unicode(code)
            }
            printf "\""
        }'
}

# Says which of the three folders is there and cannot be read; fails if there is one. None at all holds nothing.
unreadable_folders() {
    found=1
    for type in FULL INC DIFF; do
        folder=$BACKUP_DIR/$type
        [ -e "$folder" ] || [ -L "$folder" ] || continue
        if ! [ -d "$folder" ]; then
            printf 'verify_sync.sh: %s is no folder, or a link to nothing\n' "$folder" >&2
        elif ! [ -r "$folder" ] || ! [ -x "$folder" ]; then
            printf 'verify_sync.sh: %s cannot be read\n' "$folder" >&2
        else
            continue
        fi
        found=0
    done
    return "$found"
}

# The inventory as JSON. Each archive is read once: the one best digest at hand is all the server needs.
inventory() {
    printf '{"local_backups":{'
    separator=
    for type in FULL INC DIFF; do
        printf '%s"%s":[' "$separator" "$type"
        separator=
        set --
        for file in "$BACKUP_DIR/$type"/*.tar.gz; do
            [ -e "$file" ] || [ -L "$file" ] || continue
            case $file in
            *[[:cntrl:]]*) entries "$file" ;;
            *) set -- "$@" "$file" ;;
            esac
            if [ $# -eq 100 ]; then
                entries "$@"
                set --
            fi
        done
        [ $# -eq 0 ] || entries "$@"
        printf ']'
        separator=,
    done
    printf '}'
    if [ -n "$profile" ]; then
        printf ',"profile":'
        json_string "$profile"
    fi
    printf '}\n'
}

# A pipe or a device under an archive's name would be read for ever.
are_files() {
    for file in "$@"; do [ -f "$file" ] || return 1; done
}

# The entries of the archives $@, which are many at a time because starting a program for each takes longer than reading
# a small one. The programs answer a line for each, in order; a name with a line break in it must come alone.
entries() {
    if are_files "$@" && wc -c -- "$@" >"$scratch/sizes" 2>/dev/null && $digest_command -- "$@" >"$scratch/digests" 2>/dev/null; then
        for file in "$@"; do
            read -r size _ <&3
            read -r digest _ <&4
            entry "$file" ",\"size\":$size,\"$algorithm\":\"${digest#\\}\""
        done 3<"$scratch/sizes" 4<"$scratch/digests"
    elif [ $# -gt 1 ]; then
        for file in "$@"; do entries "$file"; done
    else
        # Left out, it would be reported as one that only the server has; without a digest it is never the same.
        printf 'verify_sync.sh: %s cannot be read\n' "$1" >&2
        entry "$1" ''
    fi
}

# The entry of the archive $1, with the further members $2.
entry() {
    printf '%s{"name":' "$separator"
    json_string "${1##*/}"
    printf '%s}' "$2"
    separator=,
}

# JSON as lines of path, tab, value, such as "verification.FULL.synced<TAB>a.tar.gz", one for each string and number.
# Cut at the quotes, every other piece is the inside of a string; one that ends in an odd number of backslashes goes on.
flatten() {
    awk '
        BEGIN { RS = "\"" }
        function value(text,    path, plain, i) {
            for (i = 1; i <= depth; i++) if (key[i] != "") path = path (path == "" ? "" : ".") key[i]
            while (match(text, /\\["\\]/)) {
                plain = plain substr(text, 1, RSTART - 1) substr(text, RSTART + 1, 1)
                text = substr(text, RSTART + 2)
            }
            print path "\t" plain text
        }
        inside {
            text = text $0
            if (match(text, /\\+$/) && RLENGTH % 2)
                text = text "\""
            else {
                inside = 0
                complete = 1
            }
            next
        }
        {
            if (complete && $0 ~ /^[ \t\r\n]*:/)
                key[depth] = text
            else if (complete)
                value(text)
            rest = $0
            while (match(rest, /[][{}]|[^][{}:, \t\r\n]+/)) {
                token = substr(rest, RSTART, RLENGTH)
                rest = substr(rest, RSTART + RLENGTH)
                if (token == "{" || token == "[")
                    key[++depth] = ""
                else if (token == "}" || token == "]")
                    depth--
                else
                    value(token)
            }
            inside = 1
            complete = 0
            text = ""
        }' "$1"
}

answered() {
    awk -F '\t' -v path="$1" '$1 == path { print $2; exit }' "$scratch/flat"
}

# Asks the server for the path $1, with further options for curl; the answer is then in the file flat.
ask() {
    url=$SERVER_URL$1
    shift
    : >"$scratch/answer"
    curl_status=0
    # Without a byte in either direction for five minutes it gives up: a job of cron must not hang for ever.
    http_status=$(curl -sS -g --connect-timeout 20 --speed-limit 1 --speed-time 300 \
        -o "$scratch/answer" -w '%{http_code}' "$@" "$url" 2>"$scratch/trouble") || curl_status=$?
    flatten "$scratch/answer" >"$scratch/flat"
    [ "$curl_status" -ne 0 ] || [ "$http_status" != 200 ] || return 0
    sentence=$(answered error)
    [ -z "$sentence" ] || fail "the server answered $http_status: $sentence"
    [ "$curl_status" -ne 0 ] || not_tarkeep
    fail "no answer from $shown_url: $(sed -n '1s/^curl: ([0-9]*) //p' "$scratch/trouble")"
}

not_tarkeep() {
    fail "unexpected answer $http_status; is $shown_url a Tarkeep server?"
}

print_statistics() {
    ask /stats
    [ -n "$(answered total.files)" ] || not_tarkeep
    printf '%s at %s\n' "$shown_url" "$(answered timestamp)"
    awk -F '\t' '
        { answer[$1] = $2 }
        function line(label, count, size) { printf "%-6s %8d archives %12s\n", label, count, size }
        END {
            n = split("FULL INC DIFF", types, " ")
            for (i = 1; i <= n; i++) {
                at = "storage." types[i]
                line(types[i], answer[at ".count"], answer[at ".size_human"])
            }
            line("total", answer["total.files"], answer["total.size_human"])
        }' "$scratch/flat"
}

print_counts() {
    awk -F '\t' '
        /_count\t/ { count[$1] = $2 }
        $1 ~ /\.synced$/ { synced[$1]++ }
        END {
            n = split("FULL INC DIFF", types, " ")
            for (i = 1; i <= n; i++) {
                at = "verification." types[i]
                printf "%-6s %8d here %8d on the server %8d the same\n", types[i],
                    count[at ".local_count"], count[at ".remote_count"], synced[at ".synced"]
            }
        }' "$scratch/flat"
}

# What the server had and removed by the retention policy of its profile is no issue, but nobody should look for it.
print_pruned() {
    awk -F '\t' '
        $1 ~ /^verification\.[A-Z]*\.pruned$/ { count++ }
        END {
            if (count == 1) print "1 archive here was removed on the server by the retention policy"
            if (count > 1) printf "%d archives here were removed on the server by the retention policy\n", count
        }' "$scratch/flat"
}

print_issues() {
    awk -F '\t' '$1 == "issues" { print $2 }' "$scratch/flat"
}

print_names() {
    awk -F '\t' '
        BEGIN {
            label["synced"] = "the same on both sides"
            label["missing_remote"] = "missing on the server"
            label["extra_remote"] = "only on the server"
            label["differing"] = "different on the server"
            label["unverified"] = "not compared, no digest"
            label["damaged"] = "damaged on the server"
            label["pruned"] = "removed on the server by the retention policy, need not be sent again"
        }
        split($1, part, ".") != 3 || part[1] != "verification" || !(part[3] in label) { next }
        NR == FNR { count[$1]++; next }
        $1 != before { printf "\n%s, %s: %d\n", part[2], label[part[3]], count[$1]; before = $1 }
        { print "  " $2 }' "$scratch/flat" "$scratch/flat"
}

mode=
profile=${PROFILE:-}
profile_option=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        usage
        exit 0
        ;;
    --report | --stats)
        [ -z "$mode" ] || [ "$mode" = "$1" ] || wrong_usage "either $mode or $1"
        mode=$1
        ;;
    --profile)
        [ -n "${2:-}" ] || wrong_usage '--profile needs a name'
        profile=$2 profile_option=yes
        shift
        ;;
    --profile=?*) profile=${1#*=} profile_option=yes ;;
    *) wrong_usage "unknown argument $1" ;;
    esac
    shift
done
[ "$mode" != --stats ] || [ -z "$profile_option" ] || wrong_usage '--stats counts all profiles, leave --profile out'

command -v curl >/dev/null || fail 'needs curl, which is not installed'

scratch=$(mktemp -d "${TMPDIR:-/tmp}/tarkeep-verify.XXXXXX") || fail 'no temporary directory'
trap 'rm -rf "$scratch"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

if [ "$mode" = --stats ]; then
    print_statistics
    exit 0
fi

choose_digest
[ -d "$BACKUP_DIR" ] || fail "BACKUP_DIR $BACKUP_DIR is not a directory"
unreadable=
if unreadable_folders; then unreadable=yes; fi
inventory >"$scratch/inventory"
ask /verify -H 'Content-Type: application/json' --data-binary "@$scratch/inventory"
verdict=$(answered sync_status)
case $verdict in
SYNCHRONIZED | OUT_OF_SYNC) ;;
*) not_tarkeep ;;
esac

printf '%s, %s\n' "$shown_url" "${profile:-all profiles}"
print_counts
if [ "$mode" = --report ]; then
    print_names
    printf '\n'
else
    print_issues
fi
print_pruned
if [ -z "$profile" ] && grep -q '^verification\.[A-Z]*\.extra_remote	' "$scratch/flat"; then
    printf 'Archives of other profiles count as extra; --profile NAME leaves them out.\n'
fi
if [ -n "$unreadable" ] && [ "$verdict" = SYNCHRONIZED ]; then
    fail 'what could be read is SYNCHRONIZED, but not everything here could be'
fi
printf '%s\n' "$verdict"
[ "$verdict" = SYNCHRONIZED ]
