# Read by the scripts here, with `source`: takes their arguments apart. Each of the names in `options` is a variable, which
# `--name VALUE` sets; what is no option goes to the array `words`.
words=()
while [ $# -gt 0 ]; do
    case "$1" in
    --*)
        [[ " $options " == *" ${1#--} "* ]] || { echo "error: there is no option $1" >&2; exit 1; }
        [ $# -ge 2 ] || { echo "error: $1 needs a value" >&2; exit 1; }
        printf -v "${1#--}" %s "$2"
        shift 2
        ;;
    -*) echo "error: there is no option $1" >&2; exit 1 ;;
    *) words+=("$1"); shift ;;
    esac
done
