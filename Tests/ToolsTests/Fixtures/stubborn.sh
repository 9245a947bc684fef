#!/bin/sh
# Ignores SIGTERM, as its children do, and says so.
trap '' TERM
sleep 1000 &
sleep 1000 &
echo "$$"
wait
