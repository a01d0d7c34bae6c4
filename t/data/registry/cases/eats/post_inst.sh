echo eating 400 MiB
perl -e 'push @eaten, "x" x (1 << 20) for 1 .. 400; print "full\n"'
