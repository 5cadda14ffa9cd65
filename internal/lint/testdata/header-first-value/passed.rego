allow if {
	count(input.request.headers["x-shop"]) == 1
	input.request.headers["x-shop"][0] == "a"
}
