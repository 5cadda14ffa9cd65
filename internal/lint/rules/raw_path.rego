package lint

import data.lint.lib

findings contains lib.finding(
	"raw-path", ref.place,
	"raw_path is spelt as the client likes, with percent-encoding: decide by input.request.path or segments",
) if {
	lib.policy
	some ref in input.refs["input.request"]
	ref.written
	ref.path[2] == "raw_path"
	ref.expr >= 0
}
