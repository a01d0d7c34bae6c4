echo "base says $(cat /base-mark)"
