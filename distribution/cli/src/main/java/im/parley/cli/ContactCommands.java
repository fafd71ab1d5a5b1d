package im.parley.cli;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Other people. */
final class ContactCommands {
    private ContactCommands() {}

    /** Parameters with the account if one was chosen. */
    static Map<String, Object> as(@Nullable String account) {
        Map<String, Object> params = new LinkedHashMap<>();
        if (account != null) {
            params.put("account", account);
        }
        return params;
    }

    @Command(name = "add", description = "Adds a contact and looks up where she receives messages.")
    static final class Add extends CircleCommand {
        @Parameters(index = "0", paramLabel = "NAME", description = "How to call her.")
        private String name = "";

        @Parameters(
                index = "1",
                paramLabel = "ADDRESS",
                description = "Her npub or nprofile, or a name such as bob@example.org.")
        private String address = "";

        @Option(names = "--as", paramLabel = "IDENTITY", description = "The identity that knows her.")
        private @Nullable String as;

        Add(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            SecretKeys.refuseAsContact("The contact was not added.", name);
            SecretKeys.refuseAsAddress("The contact was not added.", address);
            Map<String, Object> params = as(as);
            params.put("name", name);
            String found = "";
            params.put("address", address);
            if (address.indexOf('@') >= 0) {
                Map<String, Object> person = ask("name.find", Map.of("address", address));
                params.put("address", Answer.text(person, "nprofile"));
                found = "  " + Plain.line(Answer.text(person, "address"))
                        + " is hers today by word of that domain; from now on her key counts, not the name.\n";
            }
            Map<String, Object> contact = ask("contact.add", params);
            List<String> relays = Answer.texts(contact, "relays");
            show(
                    contact,
                    "Added " + Plain.line(Answer.text(contact, "name")) + ".\n" + found
                            + (relays.isEmpty()
                                    ? "  Where she receives messages is not known yet; it is looked up again when you"
                                            + " write.\n"
                                    : "  inbox  " + Plain.line(String.join(", ", relays)) + "\n"));
            return Exit.OK;
        }
    }

    @Command(name = "list", description = "Lists your contacts.")
    static final class ListAll extends CircleCommand {
        @Option(names = "--as", paramLabel = "IDENTITY", description = "Only this identity's contacts.")
        private @Nullable String as;

        ListAll(Invocation invocation) {
            super(invocation);
        }

        @Override
        int run() throws Failure {
            Map<String, Object> answer = ask("contact.list", as(as));
            List<List<String>> rows = new ArrayList<>();
            for (Map<String, Object> contact : Answer.objects(answer, "contacts")) {
                rows.add(List.of(
                        Plain.line(Answer.text(contact, "account")),
                        Plain.line(Answer.text(contact, "name")),
                        Answer.text(contact, "npub"),
                        Plain.line(String.join(", ", Answer.texts(contact, "relays")))));
            }
            show(
                    answer,
                    rows.isEmpty()
                            ? advice("No contact yet. Add one with ./parley contact add NAME NPUB.")
                            : Plain.table(rows));
            return Exit.OK;
        }
    }
}
