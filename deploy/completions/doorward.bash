# Completion of doorward's command line. It asks the program, so that there is no second list to keep.
_doorward() {
    local word=${COMP_WORDS[COMP_CWORD]} verbs=() one
    case ${COMP_WORDS[COMP_CWORD - 1]} in
    --env-file | --output | --rejects) mapfile -t COMPREPLY < <(compgen -f -- "$word") && return ;;
    esac
    for one in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $one == -* ]] || verbs+=("$one")
    done
    mapfile -t COMPREPLY < <(compgen -W "$(
        "${COMP_WORDS[0]}" "${verbs[@]}" --help 2>/dev/null |
            sed -nE "s/^  doorward ${verbs[*]:+${verbs[*]} }([a-z-]+).*/\1/p; s/^  (--[a-z-]+).*/\1/p"
    )" -- "$word")
}
complete -F _doorward doorward
