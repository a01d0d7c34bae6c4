echo slow step begins
sleep 611.5
