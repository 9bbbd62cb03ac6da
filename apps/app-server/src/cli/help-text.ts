/** What `hawser --help` prints. */
export const helpText: string = `hawser: app-server of the Hawser network layer

  hawser app-server [--listen stdio:// | ws://IP:PORT | unix://PATH] [options]

  --listen ADDRESS               where clients connect (default stdio://)
  --config FILE                  TOML configuration (default HAWSER_HOME/config.toml, if it exists)
  --ws-auth capability-token     clients send "Authorization: Bearer" with the content of
      --ws-token-file FILE         this file, or a token with
      --ws-token-sha256 HEX        this SHA-256
  --ws-auth signed-bearer-token  clients send a JWT signed with HS256 by
      --ws-shared-secret-file FILE the secret in this file (32 bytes or more)
      --ws-issuer, --ws-audience, --ws-max-clock-skew-seconds
  --insecure-no-auth             a loopback ws:// listener that asks for no token
  -h, --help    -V, --version

  HAWSER_HOME  where logins are kept (default ~/.hawser)
  HAWSER_LOG   level of the log on stderr (default warn)
`;
