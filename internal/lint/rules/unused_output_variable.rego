package lint

import data.lint.lib

findings contains lib.finding(
	"unused-output-variable", iterator.place,
	sprintf("nothing gives %s a value, so that the reference takes any key: write _ if that is meant", [iterator.name]),
) if {
	some iterator in input.iterators
}
