package main

import (
	"slices"
	"strings"

	"github.com/authz-sidecar/sidecar/bundles"
	"github.com/authz-sidecar/sidecar/policies"
)

// demoFiles are the policies of the example API as files to edit, with a suite and the schemas that editors use.
func demoFiles() ([]newFile, error) {
	suite, err := templates.ReadFile("template/orders_suite.yaml")
	if err != nil {
		return nil, err
	}
	example, err := filesOf("policies", policies.Example())
	if err != nil {
		return nil, err
	}
	maintenance, err := filesOf("bundles/example", bundles.Example())
	if err != nil {
		return nil, err
	}
	files := slices.Concat(example, maintenance, []newFile{{name: "policy_test/orders_suite.yaml", content: suite}})
	return withSchemas(files), nil
}

// schemaFolder holds the schemas that editors use, beside the configuration.
const schemaFolder = ".schemas"

// withSchemas adds the schemas of files, and to each file the line by which editors find its own.
func withSchemas(files []newFile) []newFile {
	files = slices.Clone(files)
	var schemas []newFile
	for i, f := range files {
		kind := schemaOf(f.name)
		schema, ok := schemaNamed(kind)
		if !ok {
			continue
		}
		name := schemaFolder + "/" + kind + ".schema.json"
		line := "# yaml-language-server: $schema=" + strings.Repeat("../", strings.Count(f.name, "/")) + name + "\n"
		files[i].content = append([]byte(line), f.content...)
		schemas = append(schemas, newFile{name: name, content: schema})
	}
	return append(schemas, files...)
}

// schemaOf is which schema a file that is laid out has.
func schemaOf(name string) string {
	switch {
	case name == defaultFile:
		return "config"
	case name == "policies/routes/data.yaml":
		return "routes"
	case strings.HasSuffix(name, "_suite.yaml"):
		return "suite"
	}
	return ""
}
