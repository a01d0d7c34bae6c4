# not a bomb: the 200 end by themselves
i=0
while [ $i -lt 200 ]; do
    sleep 97.25 &
    i=$((i + 1))
done
echo "there are $i"
kill $(jobs -p)
