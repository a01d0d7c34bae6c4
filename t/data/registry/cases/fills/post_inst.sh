echo writing 200 MiB
head -c 209715200 /dev/zero > /written
