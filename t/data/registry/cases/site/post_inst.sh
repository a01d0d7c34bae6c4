echo "proxy is $http_proxy"
echo "archive says $(cat sub/latest)"
