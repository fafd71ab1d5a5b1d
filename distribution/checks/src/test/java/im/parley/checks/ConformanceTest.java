package im.parley.checks;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * The handbook's conformance table says which tests hold which duty, so it is made from the tests. A duty without a test
 * fails the build, and so does a page that is not the one made here; {@code -Dparley.write=true} writes it anew.
 */
class ConformanceTest {
    private static final Path ROOT = House.ROOT.toAbsolutePath().normalize();
    private static final Pattern TEST = Pattern.compile("void (\\w+)\\(");

    /** @param names parts of the names of its tests; all tests that have one of them are listed */
    private record Duty(String nip, String text, String... names) {}

    private static final List<Duty> DUTIES = List.of(
            new Duty(
                    "01", "ids and signatures of exactly this body, computed from the parsed event", "CR_18", "CR_11_"),
            new Duty(
                    "01",
                    "strict fields: integers, hex, no duplicate members, no lone surrogates",
                    "CR_09_",
                    "CR_13_",
                    "CR_15_",
                    "CR_16_"),
            new Duty("01", "deep nesting and malformed frames are refused", "CR_14_", "RL_22_"),
            new Duty("01", "filters match as a dumb twin does", "agreesWithADumbTwin", "unionsOfRandomFilters"),
            new Duty(
                    "01",
                    "newest first, ties by lowest id; the lowest id wins an equal date",
                    "storedEventsComeNewestFirst",
                    "RL_14_"),
            new Duty(
                    "01",
                    "OK only after the event is durable; a duplicate is true",
                    "anEventIsAnsweredTrueOnlyAfter",
                    "DB_01_RL_29_",
                    "RL_21_"),
            new Duty(
                    "01",
                    "subscription ids, replacement, CLOSE, limits",
                    "RL_16_",
                    "RL_17_",
                    "RL_18_",
                    "aReqUnderALiveIdReplacesIt"),
            new Duty("09", "only the author deletes, by id and by address, for ever", "RL_09_"),
            new Duty("09", "a request may come first, and cannot be deleted", "RL_10_", "requestsToDeleteAndToVanish"),
            new Duty(
                    "11",
                    "the document is generated, each limit holds at its value and beyond",
                    "RL_24_",
                    "theInformationDocument"),
            new Duty("13", "required and committed work", "workIsRequired"),
            new Duty("17", "text messages both ways with nostr-tools", "aMessageFromNostrToolsIsAnswered"),
            new Duty("17", "a wrap dated 47 hours back is shown", "aWrapDated47HoursBack"),
            new Duty("17", "a room is its people; one more is another room", "everybodyInARoom", "GR_02_", "GR_08_"),
            new Duty(
                    "17",
                    "answers, reactions (25) and deletions (09) inside wraps, both ways with nostr-tools",
                    "answersReactionsAndDeletions",
                    "aReactionStandsBeside",
                    "onlyTheAuthorDeletesForEverybody",
                    "GR_11_"),
            new Duty("19", "official vectors", "Nip19", "CR_01_"),
            new Duty(
                    "40",
                    "refused when expired, never served after, also when the clock is set back",
                    "RL_13_",
                    "whatWasStoredBeforeARestartExpires"),
            new Duty(
                    "40",
                    "a message is wiped at its deadline on both sides; seal and wrap outlive it a little, by chance",
                    "whatVanishes",
                    "ephemeralWrapsAndExpirations"),
            new Duty("42", "this relay, this connection, this moment, this key", "RL_06_"),
            new Duty("42", "several keys on one connection, up to twenty", "RL_07_"),
            new Duty(
                    "44",
                    "official vectors, every flipped bit, padding, sizes",
                    "CR_01_",
                    "CR_03_",
                    "CR_05_",
                    "CR_06_",
                    "CR_07_"),
            new Duty("45", "exact, of what the client could read", "RL_03_", "aCountIsExact"),
            new Duty(
                    "46",
                    "as a client: answers of the signer alone, to open questions alone, and what was asked for alone",
                    "CR_33_"),
            new Duty(
                    "46",
                    "as a client: asked at the signer's relays alone, over a restart, with a secret that is sent once",
                    "CR_34_"),
            new Duty(
                    "46",
                    "as a signer: one client per secret, and what was granted by name",
                    "theSecretAdmitsOneClient",
                    "anInvitationEnds",
                    "CR_28_sensitiveKinds"),
            new Duty(
                    "46",
                    "both ends with nostr-tools",
                    "nostrToolsActsWithAnIdentityOfOurs",
                    "anIdentityAtNostrToolsWritesAndReads",
                    "aSignerThatChangesWhatItSigns"),
            new Duty(
                    "49",
                    "official vectors and nostr-tools both ways",
                    "theOfficialVectorsOpen",
                    "aKeyMovesToNostrTools",
                    "CR_30_"),
            new Duty(
                    "59",
                    "wraps are served to their addressee only: REQ, live, ids, COUNT",
                    "RL_01_",
                    "RL_02_",
                    "RL_03_",
                    "RL_04_"),
            new Duty("59", "a wrap is deleted by its addressee or its own key", "RL_11_", "aWrapIsDeletedByTheOne"),
            new Duty("59", "seal and rumor are checked before anything is shown", "CR_21_"),
            new Duty("62", "erased here, stays away over restarts", "RL_12_"),
            new Duty("70", "the author publishes, nobody else, no repost", "RL_15_"),
            new Duty("BUD-00", "a blob is what its hash says, and one that no longer is is noticed", "BL_15_"),
            new Duty("BUD-01", "GET and HEAD alike, any extension, one range", "aBlobIsUploadedServed", "BL_11_"),
            new Duty("BUD-01", "only a hash names a blob", "BL_08_"),
            new Duty(
                    "BUD-01",
                    "readable from every origin, run in none",
                    "everyAnswerMayBeReadFromAnyOriginAnd",
                    "BL_09_"),
            new Duty("BUD-02", "the hash is of the bytes that came; types are checked", "BL_05_", "BL_10_"),
            new Duty("BUD-02", "kept whole or not at all, once however often it comes", "BL_12_", "BL_13_", "BL_14_"),
            new Duty(
                    "BUD-02", "quotas of keys and addresses, and nobody uploads who was not named", "BL_18_", "BL_19_"),
            new Duty("BUD-06", "HEAD says what PUT would", "theQuestionBeforeAnUpload"),
            new Duty("BUD-09", "signed reports about blobs that are here", "aReportIsTaken"),
            new Duty("BUD-11", "verb, time, server, hash, signature; once to delete", "BL_06_", "BL_07_"),
            new Duty(
                    "BUD-12",
                    "own lists, newest first, paged; the last owner's deletion is the blob's",
                    "aListIsNewestFirst",
                    "aBlobOfSeveralOwners"),
            new Duty("BUD", "everything with blossom-client-sdk", "theOfficialClient"));

    @Test
    void thePageIsMadeFromTheTests() throws Exception {
        Map<String, TreeSet<String>> tests = tests();
        assertFalse(tests.size() < 300, "only " + tests.size() + " tests were found");
        StringBuilder page = new StringBuilder("""
                # Conformance

                Which tests hold which duty, made from the tests themselves: a duty without one fails the build. What each
                NIP means here is in [Protocol](protocol.md), what each BUD in [File server](files.md).

                | NIP or BUD | duty | tests |
                |---|---|---|
                """);
        List<String> untested = new ArrayList<>();
        for (Duty duty : DUTIES) {
            TreeSet<String> found = new TreeSet<>();
            tests.forEach((name, classes) -> {
                for (String part : duty.names()) {
                    if (name.contains(part)) {
                        classes.forEach(each -> found.add("`" + each + "." + name + "`"));
                    }
                    classes.stream()
                            .filter(each -> each.equals(part + "Test"))
                            .forEach(each -> found.add("`" + each + "`"));
                }
            });
            if (found.isEmpty()) {
                untested.add(duty.nip() + " " + duty.text());
            }
            page.append("| ")
                    .append(duty.nip())
                    .append(" | ")
                    .append(duty.text())
                    .append(" | ")
                    .append(String.join(", ", found))
                    .append(" |\n");
        }
        assertEquals(List.of(), untested, "duties without a test");
        Path file = ROOT.resolve("docs/conformance.md");
        if (Boolean.getBoolean("parley.write")) {
            Files.writeString(file, page);
        }
        assertEquals(page.toString(), Files.readString(file), "docs/conformance.md: write it with -Dparley.write=true");
    }

    private static Map<String, TreeSet<String>> tests() throws IOException {
        Map<String, TreeSet<String>> tests = new TreeMap<>();
        try (Stream<Path> files = Files.walk(ROOT)) {
            for (Path file : files.filter(ConformanceTest::holdsTests).toList()) {
                String type = file.getFileName().toString().replace(".java", "");
                Matcher matcher = TEST.matcher(Files.readString(file));
                while (matcher.find()) {
                    tests.computeIfAbsent(matcher.group(1), unused -> new TreeSet<>())
                            .add(type);
                }
            }
        }
        return tests;
    }

    private static boolean holdsTests(Path file) {
        String path = ROOT.relativize(file).toString().replace('\\', '/');
        return path.endsWith(".java")
                && !path.contains("/target/")
                && (path.contains("/src/test/java/") || path.startsWith("plugin-api/tck/"));
    }
}
