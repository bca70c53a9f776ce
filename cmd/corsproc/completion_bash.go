package main

// bashAlone makes Bash's script work without the package bash-completion, which macOS and most images do not have: it
// defines what cobra's script calls of that package. Words are what blanks separate, so that URLs and --flag=value stay
// whole, and end at the cursor. _filedir completes directories, with -d nothing else, and files that have one of the
// endings that it is given (yaml|yml|json), or all of them.
const bashAlone = `
__corsproc_init_completion()
{
    COMPREPLY=()
    if declare -F _get_comp_words_by_ref >/dev/null 2>&1; then
        _get_comp_words_by_ref "$@" cur prev words cword
        return
    fi
    local line="${COMP_LINE:0:COMP_POINT}"
    read -r -a words <<<"$line"
    if [[ $line == *[[:blank:]] ]]; then
        words+=("")
    fi
    cword=$((${#words[@]} - 1))
    cur="${words[cword]}"
    prev=""
    if ((cword > 0)); then
        prev="${words[cword - 1]}"
    fi
}

if ! declare -F _filedir >/dev/null 2>&1; then
    _filedir()
    {
        local file
        while IFS= read -r file; do
            if [[ -d $file || -z $1 || $1 != -d && "|$1|" == *"|${file##*.}|"* ]]; then
                COMPREPLY+=("$file")
            fi
        done < <(compgen -f -- "$cur")
        if [[ $(type -t compopt) == builtin ]]; then
            compopt -o filenames 2>/dev/null
        fi
    }
fi
`
