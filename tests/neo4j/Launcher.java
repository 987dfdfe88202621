import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import org.neo4j.configuration.GraphDatabaseSettings;
import org.neo4j.configuration.connectors.BoltConnector;
import org.neo4j.configuration.connectors.ConnectorPortRegister;
import org.neo4j.configuration.connectors.ConnectorType;
import org.neo4j.configuration.helpers.SocketAddress;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;
import org.neo4j.kernel.internal.GraphDatabaseAPI;

/**
 * One Neo4j Community in a directory of its own, on a free loopback port, until its standard
 * input ends: so it goes with whoever started it, killed or not, and takes the directory along.
 * Prints the port when it answers. The password comes in by NEO4J_PASSWORD.
 */
public final class Launcher {
    public static void main(String[] arguments) throws IOException {
        Path home = Files.createTempDirectory("imbi-neo4j-");
        try {
            DatabaseManagementService server =
                    new DatabaseManagementServiceBuilder(home)
                            .setConfig(GraphDatabaseSettings.auth_enabled, true)
                            .setConfig(BoltConnector.enabled, true)
                            .setConfig(
                                    BoltConnector.listen_address,
                                    new SocketAddress("127.0.0.1", 0))
                            .build();
            try {
                server.database("system")
                        .executeTransactionally(
                                "ALTER USER neo4j SET PASSWORD $password CHANGE NOT REQUIRED",
                                Map.of("password", System.getenv("NEO4J_PASSWORD")));
                System.out.println("bolt " + port(server));
                while (System.in.read() >= 0) {
                    // Nothing is said to us; we wait for the end.
                }
            } finally {
                server.shutdown();
            }
        } finally {
            remove(home);
        }
    }

    private static int port(DatabaseManagementService server) {
        return ((GraphDatabaseAPI) server.database("neo4j"))
                .getDependencyResolver()
                .resolveDependency(ConnectorPortRegister.class)
                .getLocalAddress(ConnectorType.BOLT)
                .getPort();
    }

    private static void remove(Path directory) throws IOException {
        try (var paths = Files.walk(directory)) {
            for (Path path : paths.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        }
    }
}
