register INVOKE
n=0
while next; do
    for ((i = 0; i < 300; i++)); do
        printf '%s out %d %d\n' "$name" "$n" "$i"
        printf '%s err %d' "$name" "$n" >&2
        printf ' %d\n' "$i" >&2
    done
    printf '%s out %d bad \xff and cut \xe2\x82\n' "$name" "$n"
    # A long line of one letter, the name's last, behind what says whose it is.
    if ((n == 1)); then
        printf '%s err %d long ' "$name" "$n" >&2
        head -c 614400 /dev/zero | tr '\0' "${name: -1}" >&2
        printf '\n' >&2
    fi
    n=$((n + 1))
done
