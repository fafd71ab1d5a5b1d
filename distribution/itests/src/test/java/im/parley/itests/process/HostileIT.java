package im.parley.itests.process;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.After;
import org.junit.Before;
import org.junit.Test;

/**
 * Hostile plugins in the real distribution, installed with the real command and signed by a publisher whom the user trusts,
 * for that is where fences have to hold. What each tried, which fence stopped it, and which only a process of its own
 * would stop, is printed as the table of the handbook.
 */
public class HostileIT {
    private static final String SLOT = "policy.limits";
    private static final String OWN = "im.parley.policy.limits~main";
    private static final String PROCESS = "nothing: only a process of its own would";

    private DistributionNode node;
    private Path folder;
    private KeyPair publisher;
    private ServerSocket home;
    private final AtomicInteger calls = new AtomicInteger();
    private final List<String> table = new ArrayList<>();

    @Before
    public void start() throws Exception {
        home = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        Thread listener = new Thread(() -> {
            while (!home.isClosed()) {
                try {
                    home.accept().close();
                    calls.incrementAndGet();
                } catch (java.io.IOException closed) {
                    return;
                }
            }
        });
        listener.setDaemon(true);
        listener.start();
        node = DistributionNode.create("host");
        folder = node.base().resolve("plugins");
        publisher = SamplePlugin.trusted(node.stateDir(), folder, "example", "org.example");
        node.start("--only", "infrastructure");
    }

    @After
    public void stop() throws Exception {
        if (node != null) {
            node.close();
        }
        home.close();
    }

    private SamplePlugin plugin(String name) {
        return SamplePlugin.of(folder, "org.example." + name, "1.0.0");
    }

    /** Installs it and lets it fill a slot, so that all of its code has its chance; then takes it away. */
    private List<String> run(String name, SamplePlugin plugin) throws Exception {
        Path jar = plugin.signedBy(publisher);
        DistributionNode.Result installed = node.run("", "plugin", "install", jar.toString(), "--yes");
        if (installed.exit() == 0) {
            node.run("", "swap", SLOT, "org.example." + name + "~main");
            if (!filling().equals(OWN)) {
                node.json("swap", SLOT, OWN);
            }
            node.json("plugin", "remove", "org.example." + name, "--yes");
        }
        assertEquals("the node goes on", OWN, filling());
        return plugin.reported();
    }

    private String filling() throws Exception {
        for (JsonNode slot : node.json("slots").path("slots")) {
            if (slot.path("slot").asText().equals(SLOT)) {
                return slot.path("instance").asText();
            }
        }
        throw new AssertionError("no slot " + SLOT);
    }

    private String refusal(Path jar) throws Exception {
        DistributionNode.Result refused = node.run("", "plugin", "install", jar.toString(), "--yes");
        assertEquals(refused.out(), 1, refused.exit());
        return refused.err().replaceFirst("(?s).*Code: (\\S+).*", "$1");
    }

    private boolean audited(String act, String... words) throws Exception {
        for (JsonNode entry : node.json("audit", "list", "-n", "1000").path("entries")) {
            if (entry.path("act").asText().equals(act)
                    && List.of(words).stream().allMatch(entry.toString()::contains)) {
                return true;
            }
        }
        return false;
    }

    private void row(String tried, String stopped, String code) {
        table.add("| " + tried + " | " + stopped + " | " + (code.isEmpty() ? "" : "`" + code + "`") + " |");
    }

    @Test
    public void tenHostilePluginsAndWhichFenceStopsWhich() throws Exception {
        phonesHome();
        readsFiles();
        hidesAndChanges();
        installsMore();
        registersHooksAndImpostors();
        looksUpServices();
        hangs();
        halts();
        System.out.println("| what the plugin did | what stopped it | code |\n|---|---|---|");
        table.forEach(System.out::println);
        assertEquals(11, table.size());
    }

    private void phonesHome() throws Exception {
        SamplePlugin egress = plugin("egress").opening("""
                try {
                    context.egress(im.parley.api.lifecycle.Scope.DEFAULT).connect(
                            "127.0.0.1", %d, "home", java.time.Duration.ofSeconds(2)).close();
                    report("connected");
                } catch (ProviderException e) {
                    report(e.code());
                } catch (java.io.IOException e) {
                    report(e.toString());
                }
                """.formatted(home.getLocalPort()));
        assertEquals(List.of("egress.host-not-declared"), run("egress", egress));
        assertEquals(0, calls.get());
        row("phones home through its egress, to a host it did not declare", "egress", "egress.host-not-declared");

        SamplePlugin declared =
                plugin("declared").header("Parley-Hosts", "127.0.0.1").opening("""
                try {
                    context.egress(im.parley.api.lifecycle.Scope.DEFAULT).connect(
                            "127.0.0.1", %d, "home", java.time.Duration.ofSeconds(2)).close();
                    report("connected");
                } catch (ProviderException e) {
                    report(e.code());
                } catch (java.io.IOException e) {
                    report(e.toString());
                }
                """.formatted(home.getLocalPort()));
        assertEquals("a declaration does not widen the scope", List.of("egress.private"), run("declared", declared));
        assertEquals(0, calls.get());

        SamplePlugin socket = plugin("socket").opening("""
                try (java.net.Socket raw = new java.net.Socket("127.0.0.1", %d)) {
                    report("connected");
                } catch (java.io.IOException e) {
                    report(e.toString());
                }
                """.formatted(home.getLocalPort()));
        assertEquals(List.of("connected"), run("socket", socket));
        row("phones home through a socket of Java's own", PROCESS, "");
    }

    private void readsFiles() throws Exception {
        SamplePlugin reader = plugin("reader").opening("""
                try {
                    report("read " + (java.nio.file.Files.size(java.nio.file.Path.of("%s")) > 0));
                } catch (java.io.IOException e) {
                    report(e.toString());
                }
                """.formatted(node.data().resolve("audit.jsonl")));
        assertEquals(List.of("read true"), run("reader", reader));
        row("reads files outside its own directory", PROCESS, "");
    }

    private void hidesAndChanges() throws Exception {
        Path named = SamplePlugin.of(folder, "org.examples.gate", "1.0.0").signedBy(publisher);
        assertEquals("plugin.untrusted", refusal(named));
        row(
                "hides under the name prefix of another publisher",
                "signature check at install and at start",
                "plugin.untrusted");

        Path changed = plugin("changed").signedBy(publisher);
        byte[] content = Files.readAllBytes(changed);
        content[content.length / 2] ^= 1;
        Files.write(changed, content);
        String code = refusal(changed);
        assertTrue(code, List.of("plugin.bad-archive", "plugin.bad-signature").contains(code));
        row("was changed after it was signed", "signature check at install and at start", code);
    }

    private void installsMore() throws Exception {
        Path more = SamplePlugin.of(folder, "org.example.more", "1.0.0").unsigned();
        SamplePlugin installer = plugin("installer").beginning("""
                org.osgi.framework.Bundle more = context.installBundle("file:%s");
                report("installed " + (more.getState() != org.osgi.framework.Bundle.UNINSTALLED));
                more = context.getBundle("System Bundle").getBundleContext().installBundle("file:%s");
                report("installed as another " + (more.getState() != org.osgi.framework.Bundle.UNINSTALLED));
                """.formatted(more, more), "");
        assertEquals(List.of("installed false", "installed as another false"), run("installer", installer));
        assertTrue(audited("plugin.denied", "org.example.installer", "installed org.example.more"));
        row(
                "installs a second bundle at run time",
                "bundle fence: it is uninstalled before the call returns",
                "plugin.denied");
    }

    private void registersHooksAndImpostors() throws Exception {
        SamplePlugin hook = plugin("hook").beginning("""
                Class<?> type = org.osgi.framework.BundleContext.class.getClassLoader()
                        .loadClass("org.osgi.framework.hooks.service.FindHook");
                Object blind = java.lang.reflect.Proxy.newProxyInstance(type.getClassLoader(), new Class<?>[] {type},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("find")) {
                                report("was asked");
                                ((java.util.Collection<?>) arguments[4]).clear();
                            }
                            return method.getName().equals("hashCode") ? (Object) 1 : Boolean.FALSE;
                        });
                context.registerService(type.getName(), blind, null);
                report("registered");
                """, "");
        assertEquals(List.of("registered"), run("hook", hook));
        assertTrue(audited("plugin.denied", "org.example.hook", "FindHook"));
        row(
                "registers a hook of the framework",
                "service fence: withdrawn before the call returns, its bundle stopped",
                "plugin.denied");

        SamplePlugin impostor = plugin("impostor").beginning("""
                java.util.Hashtable<String, Object> highest = new java.util.Hashtable<>();
                highest.put("service.ranking", Integer.MAX_VALUE);
                highest.put("parley.slot", "storage.events");
                org.osgi.framework.ServiceFactory<Object> factory = new org.osgi.framework.ServiceFactory<>() {
                    public Object getService(org.osgi.framework.Bundle bundle,
                            org.osgi.framework.ServiceRegistration<Object> registration) {
                        report("was asked");
                        return new Object();
                    }
                    public void ungetService(org.osgi.framework.Bundle bundle,
                            org.osgi.framework.ServiceRegistration<Object> registration, Object service) {}
                };
                for (String type : new String[] {"im.parley.vault.Vault", "im.parley.slot.Slot",
                        "java.time.InstantSource", "im.parley.egress.EgressControl$Resolver"}) {
                    context.registerService(type, factory, highest);
                }
                report("registered");
                """, "");
        assertEquals(List.of("registered"), run("impostor", impostor));
        assertTrue(audited("service.impostor", "org.example.impostor", "im.parley.vault.Vault"));
        assertTrue(audited("service.impostor", "org.example.impostor", "java.time.InstantSource"));
        row(
                "offers services of the platform with the highest ranking",
                "service fence: nobody sees them, the pinned ones serve on",
                "service.impostor");
    }

    /** PL_06: the same for references of Declarative Services, which looks with the context of the component's bundle. */
    private void looksUpServices() throws Exception {
        String references = """
                <reference name="slot" interface="im.parley.slot.Slot" cardinality="0..n" policy="dynamic"
                    bind="found"/>
                <reference name="admin" interface="org.osgi.service.cm.ConfigurationAdmin" cardinality="0..n"
                    policy="dynamic" bind="found"/>
                <reference name="relay" interface="im.parley.api.transport.RelayEndpoint" cardinality="0..n"
                    policy="dynamic" bind="found"/>
                """;
        String looking = """
                int seen = 0;
                for (org.osgi.framework.ServiceReference<?> each : context.getAllServiceReferences(null, null)) {
                    String type = ((String[]) each.getProperty("objectClass"))[0];
                    if (!each.getBundle().equals(context.getBundle()) && !type.startsWith("org.osgi.service.log.")) {
                        report("sees " + type);
                    }
                }
                report("bundles " + context.getBundles().length);
                """;
        assertEquals(List.of("bundles 1"), run("looker", plugin("looker").beginning(looking, references)));
        SamplePlugin granted = plugin("granted")
                .header("Parley-Services", "im.parley.api.transport.RelayEndpoint,im.parley.slot.Slot")
                .beginning(looking, references);
        assertEquals(
                "what is declared and may be granted",
                List.of(
                        "found im.parley.api.transport.RelayEndpoint",
                        "sees im.parley.api.transport.RelayEndpoint",
                        "bundles 1"),
                run("granted", granted));
        row("looks up services that it did not declare", "service fence: it sees none of them", "");
    }

    private void hangs() throws Exception {
        String endless = """
                while (System.nanoTime() != 0) {
                    try { Thread.sleep(1_000_000); } catch (InterruptedException again) { report("was interrupted"); }
                }
                """;
        Path jar = plugin("hanging").beginning(endless, "").signedBy(publisher);
        long began = System.nanoTime();
        assertEquals("plugin.start-failed", refusal(jar));
        Duration taken = Duration.ofNanos(System.nanoTime() - began);
        assertTrue(taken.toString(), taken.toSeconds() < 25);
        assertTrue(audited("plugin.quarantined", "org.example.hanging"));
        assertEquals(
                "another one runs", List.of("well"), run("well", plugin("well").opening("report(\"well\");")));
        row(
                "never returns from its start",
                "the launcher's patience; its thread stays until the process ends",
                "plugin.quarantined");
        began = System.nanoTime();
        node.json("stop");
        taken = Duration.ofNanos(System.nanoTime() - began);
        System.out.println("stop with a plugin that hangs: " + taken.toMillis() + " ms");
        assertTrue(taken.toString(), taken.toSeconds() < 60);
        node.start("--only", "infrastructure");
        assertEquals(OWN, filling());
    }

    private void halts() throws Exception {
        long pid = node.pid();
        Path jar = plugin("halting").opening("Runtime.getRuntime().halt(0);").signedBy(publisher);
        node.json("plugin", "install", jar.toString(), "--yes");
        assertNotEquals(
                0, node.run("", "swap", SLOT, "org.example.halting~main").exit());
        Waiting.until("the node is gone", () -> ProcessHandle.of(pid).isEmpty());
        row("ends the process", PROCESS + ", the node starts with what it selected before", "");
        node.start("--only", "infrastructure");
        assertEquals(OWN, filling());
        assertFalse(node.json("plugin", "list").path("plugins").isEmpty());
    }
}
