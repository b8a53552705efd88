package main

import (
	"fmt"
	"net"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/schema/sqlite"
)

const (
	host        = "127.0.0.1"
	clusterName = "active"
	store       = "sqlite"
	disabled    = "disabled"
)

// With a frontend of its own for the other services, which have neither certificate nor key.
var services = []string{"frontend", "internal-frontend", "history", "matching", "worker"}

type hosts map[primitives.ServiceName]static.Hosts

// clusterConfig returns what the server is made from, and where its services are. That is fixed:
// from a ring of members, those that were killed would have to be dropped first after a restart.
func clusterConfig(o options) (*config.Config, hosts, error) {
	database, err := openDatabase(o.database, o.namespaces)
	if err != nil {
		return nil, nil, err
	}
	ports, err := freePorts(len(services))
	if err != nil {
		return nil, nil, err
	}
	if o.port != 0 {
		ports[0] = o.port
	}
	served := map[string]config.Service{}
	found := hosts{}
	for i, service := range services {
		served[service] = config.Service{RPC: config.RPC{BindOnIP: host, GRPCPort: ports[i]}}
		address := fmt.Sprintf("%s:%d", host, ports[i])
		found[primitives.ServiceName(service)] = static.SingleLocalHost(address)
	}
	return &config.Config{
		Global: config.Global{
			TLS: config.RootTLS{Frontend: config.GroupTLS{Server: serverTLS(o.tls)}},
		},
		Persistence: config.Persistence{
			DefaultStore: store, VisibilityStore: store, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{store: {SQL: database}},
		},
		ClusterMetadata: &cluster.Config{
			MasterClusterName: clusterName, CurrentClusterName: clusterName,
			FailoverVersionIncrement: 10,
			// Only a cluster that could be one of several takes histories from elsewhere.
			EnableGlobalNamespace: o.imports,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1,
					RPCAddress: found[primitives.InternalFrontendService].Self},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            served,
		Archival: config.Archival{
			History:    config.HistoryArchival{State: disabled},
			Visibility: config.VisibilityArchival{State: disabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: disabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: disabled},
		}},
	}, found, nil
}

func openDatabase(file string, namespaces []string) (*config.SQL, error) {
	database := &config.SQL{
		PluginName:   sqliteplugin.PluginName,
		DatabaseName: file,
		ConnectAttributes: map[string]string{
			"mode": "rwc", "setup": "true", "journal_mode": "wal", "synchronous": "2",
		},
	}
	if file == "" {
		database.DatabaseName = "memory"
		database.ConnectAttributes = map[string]string{"mode": "memory", "cache": "shared"}
	}
	for _, name := range namespaces {
		namespace, err := sqlite.NewNamespaceConfig(clusterName, name, false, nil)
		if err != nil {
			return nil, err
		}
		if err := sqlite.CreateNamespaces(database, namespace); err != nil {
			return nil, err
		}
	}
	return database, nil
}

func serverTLS(tls files) config.ServerTLS {
	server := config.ServerTLS{CertFile: tls.certificate, KeyFile: tls.key}
	if tls.clientCA != "" {
		server.RequireClientAuth = true
		server.ClientCAFiles = []string{tls.clientCA}
	}
	return server
}

// freePorts holds each until all are found: the system may offer the same one again.
func freePorts(count int) ([]int, error) {
	ports := make([]int, count)
	for i := range ports {
		listener, err := net.Listen("tcp", host+":0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports, nil
}
