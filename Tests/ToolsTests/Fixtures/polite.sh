#!/bin/sh
# Ends on SIGTERM with words, and code 0.
trap 'echo "asked to end" >&2; exit 0' TERM
echo "$$"
sleep 1000 &
wait
