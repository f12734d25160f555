// Clients of LiveKit's Go SDK, driven by JSON lines: reads commands from standard input and
// performs them; what happens in the rooms goes out the same way. The vocabulary is in
// ../src/client.rs. Sound is Opus on both ways: the test encodes and decodes it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"

	"github.com/livekit/protocol/logger"
	lksdk "github.com/livekit/server-sdk-go/v2"
)

// Command is one line of input. Which fields are set depends on what is to be done.
type Command struct {
	ID         int               `json:"id"`
	Client     string            `json:"client"`
	Do         string            `json:"do"`
	URL        string            `json:"url"`
	Token      string            `json:"token"`
	Opus       [][]byte          `json:"opus"`
	Muted      bool              `json:"muted"`
	From       string            `json:"from"`
	On         bool              `json:"on"`
	Payload    string            `json:"payload"`
	Reliable   bool              `json:"reliable"`
	To         json.RawMessage   `json:"to"`
	Topic      string            `json:"topic"`
	Method     string            `json:"method"`
	Attributes map[string]string `json:"attributes"`
	Metadata   *string           `json:"metadata"`
	Name       *string           `json:"name"`
}

// Fields is any object of the output.
type Fields map[string]any

var (
	output  sync.Mutex
	clients = map[string]*Client{}
)

func write(line Fields) {
	text, err := json.Marshal(line)
	if err != nil {
		text = []byte(fmt.Sprintf(`{"event":"driverError","error":%q}`, err))
	}
	output.Lock()
	defer output.Unlock()
	os.Stdout.Write(append(text, '\n'))
}

func perform(client *Client, command *Command) {
	answer, err := client.Do(command)
	if err != nil {
		write(Fields{"id": command.ID, "error": err.Error()})
		return
	}
	write(Fields{"id": command.ID, "ok": answer})
}

func main() {
	lksdk.SetLogger(logger.GetDiscardLogger())
	write(Fields{"ready": true})
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<24)
	for input.Scan() {
		command := &Command{}
		if err := json.Unmarshal(input.Bytes(), command); err != nil {
			write(Fields{"id": command.ID, "error": err.Error()})
			continue
		}
		client, known := clients[command.Client]
		if !known {
			client = NewClient(command.Client)
			clients[command.Client] = client
		}
		if command.Do == "close" {
			delete(clients, command.Client)
		}
		go perform(client, command)
	}
}
