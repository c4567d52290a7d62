#!/bin/bash
# What every extension that a test writes can do. Its own lines follow, in the same file.
name=${0##*/}
notes=${0%/*}/../notes
runtime_api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
extension_api="http://$AWS_LAMBDA_RUNTIME_API/2020-01-01/extension"

# The how-manieth process of this name it is, from 1.
printf . >>"$notes/$name.runs"
run=$(<"$notes/$name.runs")
run=${#run}

# Registers for events under the name of the file, or under another one.
register() { register_as "$name" "$@"; }
register_as() {
    local each key value events=
    for each in "${@:2}"; do events+="${events:+,}\"$each\""; done
    while IFS=': ' read -r key value; do
        if [[ ${key,,} == lambda-extension-identifier ]]; then id=${value%$'\r'}; fi
    done < <(curl -sS -o /dev/null -D - -H "Lambda-Extension-Name: $1" \
        -d "{\"events\":[$events]}" "$extension_api/register")
}

# Waits for an event, and fails when there is none. It may run in the background.
next() {
    event=$(curl -sS --fail -H "Lambda-Extension-Identifier: $id" "$extension_api/event/next")
}

# Asks for events until the end, keeps the last one as a note and exits as it should.
serve() {
    while next; do
        if [[ $event == *'"SHUTDOWN"'* ]]; then
            note "$event"
            exit 0
        fi
    done
    exit 99
}

# Reports an error: `report init Extension.Odd`, `report exit Extension.Odd`.
report() {
    curl -sS -o /dev/null --fail -X POST -H "Lambda-Extension-Identifier: $id" \
        -H "Lambda-Extension-Function-Error-Type: $2" "$extension_api/$1/error"
}

# Keeps a line for the test to read.
note() { printf '%s\n' "$1" >>"$notes/$name"; }

# Waits at a gate until the test, or somebody else, opens it.
pass() {
    gate "$1"
    read -r _ <"$notes/$1"
}

# Waits until somebody is at a gate, and lets him pass.
open() {
    gate "$1"
    echo >"$notes/$1"
}

# Whoever comes first makes the gate.
gate() { [[ -p $notes/$1 ]] || mkfifo "$notes/$1" 2>/dev/null || [[ -p $notes/$1 ]]; }

