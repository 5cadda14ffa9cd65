package decisionlog

import (
	"fmt"
	"os"
	"path/filepath"
)

// Config says where decisions are written. With neither stdout nor file there is no decision log.
type Config struct {
	Stdout           bool              `yaml:"stdout" doc:"Write each decision to standard output, one JSON object a line."`
	File             string            `yaml:"file" doc:"Write each decision to this file, one JSON object a line. It is appended to, and opened again on SIGHUP."`
	Queue            int               `yaml:"queue" default:"16384" min:"1" doc:"Decisions that may wait to be written. More are dropped, and counted."`
	QueueBytes       int64             `yaml:"queue_bytes" default:"67108864" min:"1048576" doc:"Most memory spent on decisions that wait to be written, estimated. More are dropped, and counted."`
	SecretParameters []string          `yaml:"secret_parameters" default:"access_token,refresh_token,id_token,id_token_hint,logout_token,token,auth_token,subject_token,actor_token,private_token,device_code,user_code,code,code_verifier,client_secret,client_assertion,assertion,saml_response,password,passwd,pwd,passphrase,secret,api_key,x_api_key,subscription_key,ticket,otp,jwt,authorization,session_id,sig,signature,x_amz_signature,x_amz_security_token,x_goog_signature" doc:"Names of query parameters whose values are masked in every event, wherever a URL or a form in it has them. Case, -, _ and . make no difference."`
	Labels           map[string]string `yaml:"labels" doc:"Labels on every event."`
}

// Check reports a file that could not be written where it is named. It creates nothing.
func (c Config) Check(fault func(key, cause, hint string)) {
	if c.File == "" {
		return
	}
	dir := filepath.Dir(c.File)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		fault("file", fmt.Sprintf("directory %q does not exist", dir), "create it, writable for the sidecar")
		return
	}
	if info, err := os.Stat(c.File); err == nil && info.IsDir() {
		fault("file", fmt.Sprintf("%q is a directory", c.File), "name a file in it")
	}
}
