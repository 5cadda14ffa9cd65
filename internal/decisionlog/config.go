package decisionlog

// Config says where decisions are written. With neither stdout nor file there is no decision log.
type Config struct {
	Stdout bool              `yaml:"stdout" doc:"Write each decision to standard output, one JSON object a line."`
	File   string            `yaml:"file" doc:"Write each decision to this file, one JSON object a line. It is appended to, and opened again on SIGHUP."`
	Queue  int               `yaml:"queue" default:"16384" min:"1" doc:"Decisions that may wait to be written. More are dropped, and counted."`
	Labels map[string]string `yaml:"labels" doc:"Labels on every event."`
}
