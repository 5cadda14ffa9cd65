package page

// Block is a part of a section: one of the types below.
type Block interface{ kind() string }

// Paragraph is a text.
type Paragraph Text

// List is a list of texts.
type List []Text

// Table has a row of headings. On narrow screens each row becomes a list of its cells, by their headings.
type Table struct {
	// ID is a name for links, or "".
	ID string
	// Tone is that of the caption, or "".
	Tone Tone
	// Caption says what the table is about, or "".
	Caption string
	Columns []string
	Rows    [][]Text
	// Left is how many rows were left out, besides those that a writer leaves out.
	Left int
}

// Facts are names with values.
type Facts []Fact

// Fact is a name with a value.
type Fact struct {
	Name  string
	Value Text
}

// Source is a text of several lines in a fixed width: a command, a document, a rule.
type Source struct {
	Caption, Text string
	// Language is that of Markdown's fences, such as "sh", of letters; "" for none.
	Language string
}

// Diff is two texts side by side, by their lines.
type Diff struct {
	// OldName and NewName say where the texts are, such as file:row. A side without name is empty.
	OldName, NewName string
	Old, New         string
	// OldRow and NewRow are the numbers of the first lines; 0 counts from 1.
	OldRow, NewRow int
}

// Delta are lines that only one side has.
type Delta struct {
	// Gone and Come are headings: "asked for only before".
	GoneTitle, ComeTitle string
	Gone, Come           []string
}

// Card is a finding with its evidence. Paper does not break it where it fits on a page.
type Card struct {
	// ID is a name for links, as that of a Section, or "".
	ID    string
	Tone  Tone
	Label string
	Title Text
	// Note stands below the title.
	Note   Text
	Blocks []Block
	Fold   Fold
}

// Folded are blocks below a title that a click unfolds; on paper they are open, or absent.
type Folded struct {
	Title  Text
	Blocks []Block
	Paper  Paper
}

// Paper says what becomes of folded blocks on paper.
type Paper string

// What may become of them.
const (
	OnPaper  Paper = ""
	OffPaper Paper = "on-screen" // what is for programs, such as a document
)

// Columns are blocks beside each other where there is room.
type Columns struct{ Left, Right []Block }

func (Paragraph) kind() string { return "paragraph" }
func (List) kind() string      { return "list" }
func (Table) kind() string     { return "table" }
func (Facts) kind() string     { return "facts" }
func (Source) kind() string    { return "source" }
func (Diff) kind() string      { return "diff" }
func (Delta) kind() string     { return "delta" }
func (Card) kind() string      { return "card" }
func (Folded) kind() string    { return "folded" }
func (Columns) kind() string   { return "columns" }
