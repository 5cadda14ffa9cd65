package lint

import data.lint.lib

findings contains lib.finding(
	"time-now-ns-twice", call.place,
	"time.now_ns() is the time of the decision, the same at each call: the difference is always 0",
) if {
	some [_, call] in lib.calls({"minus", "lt", "gt", "neq"})
	call.args[0].name == "time.now_ns"
	call.args[1].name == "time.now_ns"
}
