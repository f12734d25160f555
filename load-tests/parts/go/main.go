// Command s3 serves a folder as an S3 bucket: versitygw's gateway, embedded so that only what it
// takes to serve a folder is compiled.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:9000", "address to listen on")
	folder := flag.String("folder", ".", "holds `objects`, in it the buckets, and `metadata`")
	access := flag.String("access-key", "", "the one account's name")
	secret := flag.String("secret-key", "", "and its secret")
	flag.Parse()

	metadata, err := meta.NewSideCar(filepath.Join(*folder, "metadata"))
	if err != nil {
		log.Fatal(err)
	}
	options := posix.PosixOpts{SideCarDir: filepath.Join(*folder, "metadata")}
	objects, err := posix.New(filepath.Join(*folder, "objects"), metadata, options)
	if err != nil {
		log.Fatal(err)
	}
	ended, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err = embedgw.RunVersityGW(ended, objects, &embedgw.Config{
		RootUserAccess:    *access,
		RootUserSecret:    *secret,
		Region:            "us-east-1",
		Ports:             []string{*listen},
		MaxConnections:    1024,
		MaxRequests:       512,
		MultipartMaxParts: 10000,
		HealthPath:        "/health",
		KeepAlive:         true,
		CORSAllowOrigin:   "*",
	})
	if err != nil {
		log.Fatal(err)
	}
}
