# children, one of them in a session of its own, one an orphan
echo children begin
sleep 733.25 &
setsid sleep 733.25 &
(sleep 733.25 &)
trap '' TERM
sleep 733.25
