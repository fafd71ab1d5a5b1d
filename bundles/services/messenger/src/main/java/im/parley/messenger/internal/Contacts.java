package im.parley.messenger.internal;

import im.parley.api.event.PublicKey;
import im.parley.api.lifecycle.ProviderException;
import im.parley.messenger.Messenger;
import im.parley.messenger.Messenger.Contact;
import im.parley.protocol.Nip19;
import im.parley.protocol.ProtocolException;
import im.parley.vault.SealedSpace;
import im.parley.vault.SealedSpace.Tx;
import java.net.URI;
import java.text.Normalizer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Whom the own identities of a circle know, and by what name. Thread-safe; blocks on disk, and on the network where said. */
final class Contacts {
    private static final Logger LOG = LoggerFactory.getLogger(Contacts.class);
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final SealedSpace space;
    private final Directory directory;

    Contacts(SealedSpace space, Directory directory) {
        this.space = space;
        this.directory = directory;
    }

    Contact add(@Nullable String wanted, String wantedName, String address) throws ProviderException {
        String name = Names.checked(wantedName, "contact.bad-name");
        Address to = address(address);
        if (to == null) {
            throw Rejected.of("contact.bad-address", "This is no npub or nprofile. Ask your contact for hers.");
        }
        space.transact(tx -> {
            Account account = Accounts.pick(tx, wanted);
            Book.Contact same = null;
            for (Book.Contact other : Book.contacts(tx, account.pubkey())) {
                if (other.pubkey().equals(to.pubkey())) {
                    same = other;
                } else if (other.name().equals(name)) {
                    throw nameTaken();
                }
            }
            for (Account own : Book.accounts(tx)) {
                if (own.name().equals(name) && !own.pubkey().equals(to.pubkey())) {
                    throw nameTaken();
                }
            }
            long number = same == null ? Book.next(tx, "contacts") : same.number();
            Book.put(tx, account.pubkey(), new Book.Contact(number, name, to.pubkey()));
            hint(tx, to);
            Chat chat = Chats.of(tx, account.pubkey(), Room.with(account.pubkey(), List.of(to.pubkey())));
            if (chat.number() > 0 && !chat.accepted()) {
                Chats.put(tx, account.pubkey(), chat.accept());
            }
            return true;
        });
        try {
            directory.refresh(to.pubkey()).toCompletableFuture().get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (ExecutionException | TimeoutException e) {
            LOG.debug("a new contact's relays are looked up again when she is written to");
        }
        return space.transact(tx -> shown(tx, new Book.Contact(0, name, to.pubkey())));
    }

    List<Contact> all(@Nullable String wanted) throws ProviderException {
        return space.transact(tx -> {
            List<Contact> contacts = new ArrayList<>();
            for (Book.Contact contact :
                    Book.contacts(tx, Accounts.pick(tx, wanted).pubkey())) {
                contacts.add(shown(tx, contact));
            }
            return contacts;
        });
    }

    private static Contact shown(Tx tx, Book.Contact contact) throws ProviderException {
        List<URI> relays = Book.peer(tx, contact.pubkey()).relays();
        for (Account own : Book.accounts(tx)) {
            relays = own.pubkey().equals(contact.pubkey()) ? own.relays() : relays;
        }
        return new Contact(contact.name(), contact.pubkey(), Nip19.npub(contact.pubkey()), relays);
    }

    private static ProviderException nameTaken() {
        return Rejected.of("contact.name-taken", "Somebody else has this name here already. Choose another name.");
    }

    /** @param hints relays that came with the address, normalised */
    private record Address(PublicKey pubkey, List<URI> hints) {}

    private static @Nullable Address address(String text) {
        String plain = text.strip();
        if (plain.regionMatches(true, 0, "nostr:", 0, 6)) {
            plain = plain.substring(6);
        }
        try {
            Nip19.Entity entity = Nip19.decode(plain);
            if (entity instanceof Nip19.Npub npub) {
                return new Address(npub.pubkey(), List.of());
            }
            if (entity instanceof Nip19.Profile profile) {
                return new Address(profile.pubkey(), Directory.relays(profile.relays()));
            }
            if (entity instanceof Nip19.Nsec nsec) {
                nsec.clear();
            }
            return null;
        } catch (ProtocolException e) {
            return null;
        }
    }

    private static void hint(Tx tx, Address to) throws ProviderException {
        if (!to.hints().isEmpty()) {
            Peer peer = Book.peer(tx, to.pubkey());
            Peer hinted = peer.hinted(to.hints());
            if (!hinted.equals(peer)) {
                Book.put(tx, to.pubkey(), hinted);
            }
        }
    }

    static PublicKey recipient(Tx tx, Account account, String to) throws ProviderException {
        String name = Normalizer.normalize(to, Normalizer.Form.NFC);
        for (Book.Contact contact : Book.contacts(tx, account.pubkey())) {
            if (contact.name().equals(name)) {
                return contact.pubkey();
            }
        }
        for (Account own : Book.accounts(tx)) {
            if (own.name().equals(name)) {
                return own.pubkey();
            }
        }
        Address address = address(to);
        if (address == null) {
            throw Rejected.of(
                    "recipient.unknown",
                    "There is no contact or identity of this name, and it is no npub. Add the contact first.");
        }
        hint(tx, address);
        return address.pubkey();
    }

    static Map<PublicKey, String> names(Tx tx, Account account) throws ProviderException {
        Map<PublicKey, String> names = new HashMap<>();
        for (Account own : Book.accounts(tx)) {
            names.put(own.pubkey(), own.name());
        }
        for (Book.Contact contact : Book.contacts(tx, account.pubkey())) {
            names.put(contact.pubkey(), contact.name());
        }
        return names;
    }

    static String named(PublicKey person, Map<PublicKey, String> names) {
        String name = names.get(person);
        return name == null ? Nip19.npub(person) : name;
    }

    /** Whom these names mean, in a room of their own. */
    static Set<PublicKey> others(Tx tx, Account account, List<String> names) throws ProviderException {
        Set<PublicKey> others = new LinkedHashSet<>();
        for (String each : names) {
            others.add(recipient(tx, account, each));
        }
        if (others.size() > 1) {
            others.remove(account.pubkey());
        }
        if (others.isEmpty() || others.size() > Messenger.MAX_OTHERS) {
            throw Rejected.of(
                    "room.too-many", "A room has 1 to " + Messenger.MAX_OTHERS + " others. Name fewer people.");
        }
        return others;
    }
}
