# Fit a line to points: fit.sh EPOCHS RATE POINTS OUT. Its state is the number of epochs done and the line.
set -euo pipefail
epochs=$1 rate=$2 points=$3 out=$4
directory=${MLBUILD_CHECKPOINT_DIR:-}

state="0 0 0"
if [ -n "${MLBUILD_RESUME_FROM:-}" ]; then
    state=$(< "$MLBUILD_RESUME_FROM")
    echo "goes on from ${MLBUILD_RESUME_FROM##*/}"
fi

save() { # what a hidden name holds may be half written; once renamed it counts
    [ -n "$directory" ] || return 0
    echo "$state" > "$directory/.new"
    mv "$directory/.new" "$directory/epoch-${state%% *}"
}

stopped=
trap stopped=1 TERM INT # looked at between two epochs; awk, which is sent it too, does not mind

while read -r done _ <<< "$state" && [ "$done" -lt "$epochs" ]; do
    state=$(trap "" TERM INT; awk -F, -v state="$state" -v rate="$rate" '
        BEGIN { split(state, s, " "); a = s[2]; b = s[3] }
        FNR > 1 { off = a + b * $1 - $2; da += off; db += off * $1; n++ }
        END { printf "%d %.17g %.17g\n", s[1] + 1, a - rate * da, b - rate * db }
    ' "$points")
    [ -z "${EPOCHS_LOG:-}" ] || echo "${state%% *}" >> "$EPOCHS_LOG"
    if [ -n "$stopped" ]; then
        save
        exit 143 # 128 + TERM: not done
    fi
    if [ $((${state%% *} % 50)) = 0 ]; then
        save
        [ -z "${MLBUILD_PROGRESS:-}" ] || echo "{\"done\": ${state%% *}, \"total\": $epochs}" >> "$MLBUILD_PROGRESS"
    fi
done

read -r _ a b <<< "$state"
echo "y = $a + $b * x" > "$out"
