echo working
echo the licence server does not answer >&2
exit 3
