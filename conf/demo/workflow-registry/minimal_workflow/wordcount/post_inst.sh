#!/bin/sh
# Runs inside the image build, after the packages are installed.
set -e
install -m 755 /wordcount/src/wordcount /usr/local/bin/wordcount
printf 'to be or not to be\n' | wordcount
