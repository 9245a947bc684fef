#!/bin/sh
# Fills its working folder, a part of it without permission to be removed.
pwd
mkdir -p a/b/c
echo x > a/b/c/file
ln -s / root
chmod 500 a/b
chmod 000 a/b/c
