# cic_cli.bash - completion for bash: commands, options, ids of builds, names of images.
# Ids and names are asked of the server, for two seconds at most, and only when there are credentials that need no
# question; what it answered is used again for half a minute.
# shellcheck shell=bash

_cic_cli_words='build status logs list cancel retry delete images download catalog machines tokens token whoami help'

# _cic_cli_column PROGRAM WORDS... - the first column of that table into choices; an answer from a moment ago will do
_cic_cli_column() {
    local line
    if [[ $* != "${_cic_cli_asked-}" || $((SECONDS - ${_cic_cli_asked_at:-0})) -ge 30 ]]; then
        _cic_cli_answer=$("$1" --no-prompt --quiet --timeout 2 "${@:2}" 2> /dev/null < /dev/null)
        _cic_cli_asked=$* _cic_cli_asked_at=$SECONDS
    fi
    while IFS= read -r line; do
        choices+=("${line%% *}")
    done <<< "${_cic_cli_answer#*$'\n'}"
}

_cic_cli_options() {
    printf '%s ' --url --cacert --insecure --timeout --no-prompt --json --quiet --help
    case $1 in
    '') printf '%s ' --version ;;
    build) printf '%s ' --wait --dry-run --force --push --no-push --workflow --step --version --machine --arch \
        --platform --engine --mpi --gpu ;;
    status | retry) printf '%s ' --wait ;;
    logs) printf '%s ' --follow --color ;;
    list) printf '%s ' --all --state --limit ;;
    images) printf '%s ' --limit ;;
    download) printf '%s ' --output ;;
    token) printf '%s ' --days ;;
    esac
}

_cic_cli() {
    local program=$1 word=$2 previous=$3 command='' seen=0 choice i
    local -a server=() choices=()
    COMPREPLY=()
    # which command is it, and how many arguments are before the cursor?
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        # bash makes words of "https", ":" and "//…"
        --url) server=(--url "${COMP_WORDS[i + 1]-}")
            while [[ ${COMP_WORDS[i + 2]-} == : ]]; do
                server[1]+=:${COMP_WORDS[i + 3]-}
                i=$((i + 2))
            done
            i=$((i + 1)) ;;
        --cacert) server+=(--cacert "${COMP_WORDS[i + 1]-}") i=$((i + 1)) ;;
        -k | --insecure) server+=(-k) ;;
        --timeout | --workflow | --step | --machine | --arch | --platform | --engine | --mpi | --gpu | --state | --limit | \
            --output | --days) i=$((i + 1)) ;;
        --version) [[ -z $command ]] || i=$((i + 1)) ;;
        -*) ;;
        *) if [[ -z $command ]]; then command=${COMP_WORDS[i]}; else seen=$((seen + 1)); fi ;;
        esac
    done
    case $previous in
    --state) read -ra choices <<< 'running ended PENDING STARTED BUILDING CONVERTING FINISHED FAILED' ;;
    --engine) choices=(singularity docker) ;;
    --output | --cacert) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --url | --timeout | --workflow | --step | --machine | --arch | --platform | --mpi | --gpu | --limit | --days) return ;;
    *) case $word:$command:$seen in
        -*) read -ra choices <<< "$(_cic_cli_options "$command")" ;;
        *::0 | *:help:0) read -ra choices <<< "$_cic_cli_words" ;;
        *:build:0) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        *:status:0 | *:logs:0 | *:retry:0 | *:delete:0) _cic_cli_column "$program" "${server[@]}" list ;;
        *:cancel:0) _cic_cli_column "$program" "${server[@]}" list --state PENDING,running ;;
        *:download:0 | *:images:0) _cic_cli_column "$program" "${server[@]}" images ;;
        *:token:0) choices=(create revoke) ;;
        *:token:1) if [[ $previous == revoke ]]; then _cic_cli_column "$program" "${server[@]}" tokens; fi ;;
        esac ;;
    esac
    # not by compgen -W: that would expand what comes from the server; and what is none of our words would be run with
    # the line it is put into
    for choice in "${choices[@]}"; do
        [[ -z $choice || $choice == *[!A-Za-z0-9._-]* || $choice != "$word"* ]] || COMPREPLY+=("$choice")
    done
}
complete -F _cic_cli cic_cli
