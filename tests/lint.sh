#!/bin/bash
# The house rules that a machine can check.  Prints file:line: reason, and exits 1 if there is any.
#
#     tests/lint.sh            the tracked files and those that would be
#
# A line is exempt when it says why, in a comment of its own:  /* lint: reason */.  A function or a file that
# is too long says so on its first line.
set -u
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8

WIDTH=100 FUNCTION_LINES=70 FILE_LINES=500

mapfile -t all < <(git ls-files --cached --others --exclude-standard | while read -r file; do
    [ -f "$file" ] && [[ $file != issues/* ]] && echo "$file"; done)
only() { printf '%s\n' "${all[@]}" | grep -E "$1"; }
mapfile -t src < <(only '^src/.*\.(c|h|def)$')
mapfile -t code < <(only '^(src|tests/unit|tests/fuzz|bench)/.*\.(c|h|def)$')
mapfile -t texts < <(printf '%s\n' "${all[@]}" | grep -vE '^tests/fuzz/corpus/' | xargs -d '\n' grep -lI '' --)

findings=$(mktemp)
trap 'rm -f "$findings"' EXIT
say() { echo "$*" >>"$findings"; }

# ---- form: lengths, trailing blanks ---------------------------------------------------------------

# A function begins with its name at the start of a line, and ends at the next "}" there.
form() {
    LC_ALL=C awk -v width=$WIDTH -v most=$FUNCTION_LINES -v file_most=$FILE_LINES '
        function say(line, reason) { print FILENAME ":" line ": " reason }
        FNR == 1 { if (file != "" && lines > file_most && file ~ /^src\// && !file_exempt)
                       print file ":" lines ": a file of " lines " lines; at most " file_most
                   file = FILENAME; name = ""; file_exempt = /lint:/ }
        { lines = FNR; exempt = /\/\* lint: / }
        length($0) > width && !exempt && FILENAME ~ /^(src|tests\/unit)\// {
            line = $0
            gsub(/[\200-\277]/, "", line) # what follows the first byte of a character
            if (length(line) > width)
                say(FNR, length(line) " columns; at most " width) }
        /^[a-z_][a-z0-9_]*\(/ { name = $0; sub(/\(.*/, "", name); begin = FNR; function_exempt = exempt }
        /;[ \t]*$/ && name != "" && !body { name = "" }
        /^\{/ { body = 1 }
        /^\}/ { if (name != "" && body && FNR - begin + 1 > most && !function_exempt)
                    say(begin, name "() has " FNR - begin + 1 " lines; at most " most)
                name = ""; body = 0 }
        END { if (lines > file_most && file ~ /^src\// && !file_exempt)
                  print file ":" lines ": a file of " lines " lines; at most " file_most }
    ' "${code[@]}" >>"$findings"
}

# ---- words: banned calls, leftovers, places of one machine ------------------------------------------

# ban PATTERN REASON FILES...: the pattern in code, but neither in comments nor in strings.
ban() {
    local pattern=$1 reason=$2
    shift 2
    [ $# -gt 0 ] || return 0
    grep -nHE "$pattern" "$@" | grep -vF '/* lint: ' |
        while IFS=: read -r file line text; do
            bare=$(sed -E 's/\\"//g; s/"[^"]*"//g; s|/\*.*||; s|^ \*.*||' <<<"$text")
            grep -qE "$pattern" <<<"$bare" && echo "$file:$line: $reason"
        done >>"$findings"
}

call() { echo "(^|[^A-Za-z0-9_.>])$1[ ]*\\("; }

calls() {
    ban "$(call '(sprintf|vsprintf)')" 'sprintf: use snprintf or text_addf' "${code[@]}"
    ban "$(call '(strcpy|strcat|stpcpy|strncpy|strncat)')" 'strcpy and strcat: use memcpy, snprintf or text_add' "${code[@]}"
    ban "$(call gets)" 'gets: use read with a size' "${code[@]}"
    ban "$(call 'strtok(_r)?')" 'strtok: use strcspn or strchr' "${code[@]}"
    ban "$(call alloca)" 'alloca: use a fixed array or an arena' "${code[@]}"
    ban '(^|[^A-Za-z0-9_])((sig)?(set|long)jmp[ ]*\(|<setjmp\.h>)' 'setjmp: return a struct fault' "${code[@]}"
    ban "$(call '(rand|srand|random|srandom|drand48)')" 'rand: use random_next or random_below' "${src[@]}"
    ban "$(call '(atoi|atol|atoll|atof)')" 'atoi: use strtoull with its end and errno' "${src[@]}"
    ban "$(call '(gethostbyname|gethostbyaddr|inet_addr)')" 'gethostbyname: use getaddrinfo' "${code[@]}"
    ban "$(call '(system|popen)')" 'system and popen: there is no shell; use posix_spawn or fork and exec' "${code[@]}"
    ban "$(call '(tmpnam|tempnam|mktemp|tmpfile)')" 'tmpnam: nothing is written to a local disk' "${src[@]}"
    ban "$(call '(localtime|gmtime|ctime|asctime|strerror_r)')" 'not safe in threads: use gmtime_r, strerror' "${src[@]}"
    ban "$(call '(secure_)?getenv')" 'getenv: only env/ reads the environment' $(printf '%s\n' "${src[@]}" | grep -v '^src/env/')
}

words() {
    grep -nHwE 'T[O]DO|F[I]XME|X[X]X' "${texts[@]}" | cut -d: -f1,2 | sed 's/$/: a leftover word; do it, or open an issue/' >>"$findings"
    grep -nHE '(^|[^A-Za-z0-9_.$}/-])/(w[o]rk|r[o]ot|h[o]me/[a-z]+)/' "${texts[@]}" | grep -vF 'lint: ' | cut -d: -f1,2 |
        sed 's/$/: a path of one machine/' >>"$findings"
    grep -nHE '[[:blank:]]+$' $(printf '%s\n' "${texts[@]}" | grep -E '\.(c|h|def|sh|py|md|sql)$|Makefile$') |
        cut -d: -f1,2 | sed 's/$/: blanks at the end/' >>"$findings"
}

# The hosts of mirrors and registries are read from the machine; they belong to it, not to the project.
hosts() {
    {
        cat /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/pip.conf 2>/dev/null
        npm config get registry 2>/dev/null
        pip config list 2>/dev/null || pip3 config list 2>/dev/null
        cat ~/.npmrc ~/.pip/pip.conf ~/.config/pip/pip.conf ~/.cargo/config.toml 2>/dev/null
        go env GOPROXY 2>/dev/null
        echo "${GOPROXY:-} ${PIP_INDEX_URL:-} ${NPM_CONFIG_REGISTRY:-} ${npm_config_registry:-}"
    } | grep -v '^[[:blank:]]*#' | grep -oE 'https?://[^][:space:]"'"'"',|/>]+' | sed -E 's|^https?://||; s|.*@||; s|:[0-9]+$||' |
        grep '[.]' | sort -u
}

registries() {
    local names
    names=$(hosts)
    [ -n "$names" ] || return 0
    grep -nHF "$names" "${texts[@]}" | cut -d: -f1,2 | sed 's/$/: a host of a mirror or registry; read it from the machine/' >>"$findings"
}

# ---- the house: floors, doors, names ----------------------------------------------------------------

# Rooms on one floor do not know each other, nor anything above them.
declare -A floor=([base]=0 [env]=1 [flow]=1 [codec]=2 [net]=2 [s3]=3 [pg]=4 [store]=4 [transform]=5 [subset]=5
    [replication]=5 [sinks]=5 [schedule]=6 [status]=6 [commands]=7 [main]=8)

edges() {
    grep -nHE '^#[ ]*include "[^"]+"' "${src[@]}" | while IFS=: read -r file line text; do
        there=$(sed -E 's/.*"([^"]*)".*/\1/' <<<"$text")
        here=${file#src/}
        here=${here%%/*}
        [[ $here == *.c || $here == *.h ]] && here=main
        [[ $text == *'/* lint: '* ]] && continue
        if [[ $there != */* ]]; then
            echo "$file:$line: includes \"$there\": a header is named with its room"
            continue
        fi
        to=${there%%/*}
        if [ "$there" = env/env.h ] && [[ $here != env && $here != main && $here != commands ]]; then
            echo "$file:$line: only main.c and commands/ include env/env.h; take a small struct of your own"
        elif [ -z "${floor[$here]:-}" ] || [ -z "${floor[$to]:-}" ]; then
            echo "$file:$line: $here or $to is no room of the floor plan"
        elif [ "$here" != "$to" ] && [ "${floor[$to]}" -ge "${floor[$here]}" ]; then
            echo "$file:$line: $here/ must not know $to/: includes point down only"
        fi
    done >>"$findings"
}

guards() {
    for file in "${src[@]}"; do
        [[ $file == *.h ]] || continue
        guard=$(sed -E 's|^src/||; s|[/.]|_|g' <<<"$file" | tr a-z A-Z)
        grep -qE "^#ifndef $guard\$" "$file" && grep -qE "^#define $guard\$" "$file" || say "$file:1: the header's guard is not $guard"
    done
}

names() {
    printf '%s\n' "${src[@]}" | sed -E 's|(.*/)?([^/]+)$|\2 &|' | sort | awk '$1 == last { print $2 ":1: its name is taken by " first }
        { if ($1 != last) first = $2; last = $1 }' >>"$findings"
}

vendored() {
    printf '%s\n' "${all[@]}" | grep -E '^vendor/' | grep -vE '^vendor/(lock|[a-z_]+\.sh|[A-Za-z_]+\.md)$' |
        sed 's/$/:1: vendor holds the lock and the recipe, never a third-party file/' >>"$findings"
}

form
calls
words
registries
edges
guards
names
vendored
sort -u "$findings" | sort -t: -k1,1 -k2,2n
count=$(sort -u "$findings" | wc -l)
[ "$count" = 0 ] && echo "lint: ${#all[@]} files, nothing to say" || { echo "lint: $count findings"; exit 1; }
