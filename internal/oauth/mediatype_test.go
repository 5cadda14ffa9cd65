package oauth

import (
	"net/http"
	"strings"
	"testing"
)

func TestMediaTypeIsThatWhateverTheParameters(t *testing.T) {
	for name, c := range map[string]struct {
		fields []string
		want   string
	}{
		"plain":                     {[]string{"application/json"}, "application/json"},
		"a charset":                 {[]string{"application/json; charset=utf-8"}, "application/json"},
		"no blank":                  {[]string{"application/json;charset=UTF-8"}, "application/json"},
		"upper case":                {[]string{"Application/JSON"}, "application/json"},
		"a bare semicolon":          {[]string{"application/json;"}, "application/json"},
		"a charset of nothing":      {[]string{"application/json; charset="}, "application/json"},
		"a charset twice":           {[]string{"application/json; charset=utf-8; charset=utf-8"}, "application/json"},
		"a parameter with no value": {[]string{"application/json; utf-8"}, "application/json"},
		"a blank before":            {[]string{"application/json ; charset=utf-8"}, "application/json"},
		"repeated by a proxy": {[]string{"application/json; charset=utf-8, application/json"},
			"application/json"},
		"two fields": {[]string{"application/json", "application/json;charset=UTF-8"},
			"application/json"},
		"a comma in quotes":     {[]string{`application/json; profile="a,b\",text/html"`}, "application/json"},
		"an empty element":      {[]string{"application/json,"}, "application/json"},
		"a lost semicolon":      {[]string{"application/json charset=utf-8"}, "application/json"},
		"a suffix":              {[]string{"application/hal+json"}, "application/hal+json"},
		"HTML":                  {[]string{"text/html; charset=utf-8"}, "text/html"},
		"two types":             {[]string{"text/html, application/json"}, ""},
		"two types in fields":   {[]string{"application/json", "text/html"}, ""},
		"a type in a parameter": {[]string{"text/html; x=application/json"}, "text/html"},
		"none":                  {nil, ""},
		"a blank":               {[]string{" "}, ""},
		"no slash":              {[]string{"json"}, ""},
		"two slashes":           {[]string{"application/json/x"}, ""},
		"a blank inside":        {[]string{"application/ json"}, ""},
	} {
		if got := MediaType(http.Header{"Content-Type": c.fields}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// FuzzMediaType: what is taken for JSON begins so, in each of its fields.
func FuzzMediaType(f *testing.F) {
	f.Add("application/json; charset=", "text/html")
	f.Add(`application/json; a="b,c"`, "APPLICATION/JSON")
	f.Fuzz(func(t *testing.T, one, two string) {
		if MediaType(http.Header{"Content-Type": {one, two}}) != "application/json" {
			return
		}
		for _, field := range []string{one, two} {
			field = strings.ToLower(strings.Trim(field, " \t,"))
			if field != "" && !strings.HasPrefix(field, "application/json") {
				t.Fatalf("%q, %q is taken for JSON", one, two)
			}
		}
	})
}
