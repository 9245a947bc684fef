#!/bin/sh
# Ends at once; its children would stay, holding its output open.
sleep 1000 &
(sleep 1000; echo never) &
echo "$$"
