echo "built on $(uname -m)"
uname -m > /machine
