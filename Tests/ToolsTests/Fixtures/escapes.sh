#!/bin/sh
# Leaves a process behind that is in another session and holds the output open.
setsid sh -c 'echo "$$"; : > escaped; exec sleep 1000' &
while [ ! -e escaped ]; do :; done
