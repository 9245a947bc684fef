#!/bin/sh
# Leaves a process behind that is in another session and holds the output open.
setsid sleep 1000 &
echo "$!"
