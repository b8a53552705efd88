// A Temporal server in one process, for tests. It prints "READY host:port" once it answers.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

const (
	patience = time.Minute
	frontend = "temporal.api.workflowservice.v1.WorkflowService"
)

type options struct {
	port       int
	namespaces []string
	database   string
	imports    bool
	dynamic    dynamicconfig.StaticClient
	logLevel   string
	tls        files
	apiKey     string
}

// files are paths to PEM files.
type files struct{ certificate, key, clientCA string }

func main() {
	if err := run(readOptions()); err != nil {
		fmt.Fprintln(os.Stderr, "temporal-server:", err)
		os.Exit(1)
	}
}

func readOptions() options {
	o := options{dynamic: dynamicconfig.StaticClient{
		// A search attribute can be used as soon as it was added.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
	}}
	namespaces := flag.String("namespaces", "default", "namespaces, with commas between them")
	pause := flag.Bool("pause", true, "workflows can be paused")
	flag.IntVar(&o.port, "port", 0, "port of the frontend; 0: a free one")
	flag.StringVar(&o.database, "db", "", "SQLite file, made if it is missing; without: in memory")
	flag.BoolVar(&o.imports, "import", false, "histories can be imported")
	flag.StringVar(&o.logLevel, "log-level", "error", "what goes to the error output")
	flag.StringVar(&o.tls.certificate, "tls-cert", "", "certificate of the frontend: PEM file")
	flag.StringVar(&o.tls.key, "tls-key", "", "its key: PEM file")
	flag.StringVar(&o.tls.clientCA, "tls-client-ca", "",
		"clients, too, need a certificate, signed by this CA: PEM file.\n"+
			"It has to have signed -tls-cert, which the server's own health check shows")
	flag.StringVar(&o.apiKey, "api-key", "", "the frontend refuses whoever does not send this key")
	flag.Func("dynamic-config", "`key=value`, repeatable: a boolean, an integer, or text", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("it has to be key=value")
		}
		o.dynamic[dynamicconfig.MakeKey(key)] = parsed(value)
		return nil
	})
	flag.Parse()
	o.namespaces = strings.Split(*namespaces, ",")
	o.dynamic[dynamicconfig.WorkflowPauseEnabled.Key()] = *pause
	return o
}

func parsed(value string) any {
	// Not strconv.ParseBool: it takes 0 and 1.
	if value == "true" || value == "false" {
		return value == "true"
	}
	if number, err := strconv.Atoi(value); err == nil {
		return number
	}
	return value
}

func run(o options) error {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	cluster, hosts, err := clusterConfig(o)
	if err != nil {
		return err
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cluster),
		temporal.ForServices(services),
		temporal.WithStaticHosts(hosts),
		temporal.WithLogger(log.NewZapLogger(log.BuildZapLogger(log.Config{Level: o.logLevel}))),
		temporal.WithDynamicConfigClient(o.dynamic),
		temporal.WithAuthorizer(keyHolders{o.apiKey}),
		temporal.WithClaimMapper(keyHolders{o.apiKey}.mapper),
	)
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	address := hosts[primitives.FrontendService].Self
	if err := healthy(address, o.tls); err != nil {
		return err
	}
	fmt.Println("READY", address)
	<-ended
	return server.Stop()
}

func healthy(address string, tlsFiles files) error {
	transport := insecure.NewCredentials()
	if tlsFiles.certificate != "" {
		certificate, err := tls.LoadX509KeyPair(tlsFiles.certificate, tlsFiles.key)
		if err != nil {
			return err
		}
		transport = credentials.NewTLS(&tls.Config{
			Certificates:       []tls.Certificate{certificate},
			InsecureSkipVerify: true, // it is us
		})
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return err
	}
	defer connection.Close()
	health := healthpb.NewHealthClient(connection)
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		answer, err := health.Check(ctx, &healthpb.HealthCheckRequest{Service: frontend})
		cancel()
		if answer.GetStatus() == healthpb.HealthCheckResponse_SERVING {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not healthy after %s: %s, %w", patience, answer.GetStatus(), err)
		}
	}
}
