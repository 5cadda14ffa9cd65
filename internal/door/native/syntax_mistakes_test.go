package native_test

const halfACharacter = `a text is cut within a character: an escape such as \ud83d needs its other half`

// syntaxMistakes are bodies of other languages and forms, and the members of other products.
func syntaxMistakes() []mistake {
	bad := func(row1column, why string) string {
		return "the body is not well-formed JSON at row 1, column " + row1column + ": " + why
	}
	context := func(value string) string { return `{"context":{"a":` + value + `}}` }
	return []mistake{
		{name: "NaN", body: context("NaN"), want: bad("17", "write true, false, null or a number")},
		{name: "True of Python", body: context("True"), want: bad("17", "write true, false, null or a number")},
		{name: "None of Python", body: context("None"), want: bad("17", "write true, false, null or a number")},
		{name: "undefined", body: context("undefined"), want: bad("17", "write true, false, null or a number")},
		{name: "a leading zero", body: context("01"), want: bad("18", "a number has no leading zeros")},
		{name: "a name without quotes", body: `{request:{}}`, want: bad("2", "write names in double quotes")},
		{name: "quotes of a word processor", body: "{\u201crequest\u201d:{}}",
			want: bad("2", "write straight double quotes")},
		{name: "a comma that is missing", body: `{"request":{"method":"GET" "url":"/"}}`,
			want: bad("28", "a comma or a colon is missing before it")},
		{name: "a colon that is missing", body: `{"request" {}}`,
			want: bad("12", "a comma or a colon is missing before it")},
		{name: "a line break in a string", body: "{\"token\":\"a\nb\"}",
			want: bad("12", `write a line break in a string as \n`)},
		{name: "half a character", body: `{"token":"a\ud83d"}`, want: bad("12", halfACharacter)},
		{name: "the other half", body: `{"token":"\uDE00"}`, want: bad("11", halfACharacter)},
		{name: "an escape of C", body: `{"token":"\x41"}`, want: bad("11", `write a backslash in a string as \\`)},
		{name: "a comment of a shell", body: "# a\n{}", want: bad("1", "JSON has no comments")},
		{name: "a comma before the end of an array", body: request(`"headers":{"a":["b",]}`),
			want: bad("57", "there is a comma before the bracket")},
		{name: "a byte order mark", body: "\xef\xbb\xbf{}", want: bad("1", "remove the byte order mark")},
		{name: "gzip without its header", body: "\x1f\x8b\x08", want: bad("1", "it is compressed: send it as it is")},
		{name: "the name of a file", body: "call.json",
			want: bad("1", "want a JSON object: curl sends a file with -d @FILE")},
		{name: "YAML", body: "request:\n  method: GET",
			want: bad("1", "want a JSON object: curl sends a file with -d @FILE")},
		{name: "HTML", body: "<p>", want: bad("1", "it is HTML or XML: want a JSON object")},
		{name: "JSON encoded as a form", body: "%7B%7D",
			want: bad("1", "it is encoded as a form: want a JSON object as it is")},
		{name: "JSON in a string", body: `"{}"`, want: "want an object, not a string"},
		{name: "names in upper case", body: `{"Request":{}}`,
			want: `there is no such member: did you mean "request"?`},
		{name: "the path of the request", body: request(`"path":"/"`),
			want: `there is no such member: did you mean "url"?`},
		{name: "cookies", body: request(`"cookies":{}`), want: `there is no such member: did you mean "headers"?`},
		{name: "the address as others call it", body: request(`"remote_addr":"::1"`),
			want: `there is no such member: did you mean "source_ip"?`},
		{name: "arrays in an array", body: request(`"headers":{"a":[["b"]]}`), want: "want a string, not an array"},
		{name: "a batch as an array", call: "POST /v1/decisions/batch", body: `[]`,
			want: `want an object, not an array: write {"items": [...]}`},
		{name: "a batch at the path of one question", body: `{"items":[]}`,
			want: "there is no such member: a batch is asked at /v1/decisions/batch"},
		{name: "one question at the path of a batch", call: "POST /v1/decisions/batch", body: request(`"body":""`),
			want: "want an array of one question at least"},
		{name: "the path of Cerbos", call: "POST /api/check/resources", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "the path of AuthZEN", call: "POST /access/v1/evaluation", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "two slashes", call: "POST //v1/decisions", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "a path in upper case", call: "POST /V1/DECISIONS", body: "{}",
			want: "there is nothing at this path: did you mean POST /v1/decisions?"},
		{name: "GET with a body", call: "GET /v1/decisions", body: "{}", want: "this path takes POST"},
	}
}
