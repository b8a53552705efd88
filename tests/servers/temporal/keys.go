package main

import (
	"context"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/config"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// keyHolders lets in who sends the key, or everybody if there is none.
type keyHolders struct{ key string }

func (k keyHolders) Authorize(
	_ context.Context, claims *authorization.Claims, target *authorization.CallTarget,
) (authorization.Result, error) {
	known := claims != nil && claims.System == authorization.RoleAdmin
	if k.key == "" || known || target.APIName == healthpb.Health_Check_FullMethodName {
		return authorization.Result{Decision: authorization.DecisionAllow}, nil
	}
	return authorization.Result{Decision: authorization.DecisionDeny}, nil
}

// GetClaims is asked by the frontend only; the internal one knows the server's own services.
func (k keyHolders) GetClaims(caller *authorization.AuthInfo) (*authorization.Claims, error) {
	if k.key != "" && caller.AuthToken != "Bearer "+k.key {
		return nil, nil
	}
	return &authorization.Claims{System: authorization.RoleAdmin}, nil
}

func (k keyHolders) mapper(*config.Config) authorization.ClaimMapper { return k }
