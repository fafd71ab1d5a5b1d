package im.parley.cli;

import im.parley.launcher.Json;
import java.io.IOException;
import java.util.List;
import java.util.Map;

/** Reads the members of a node's answer; a node of another version may lack some, which is told, not guessed. */
final class Answer {
    private Answer() {}

    static String text(Map<String, Object> answer, String name) throws Failure {
        try {
            return Json.text(answer, name);
        } catch (IOException e) {
            throw strange(e);
        }
    }

    static long number(Map<String, Object> answer, String name) throws Failure {
        try {
            return Json.number(answer, name);
        } catch (IOException e) {
            throw strange(e);
        }
    }

    static boolean flag(Map<String, Object> answer, String name) {
        return Boolean.TRUE.equals(answer.get(name));
    }

    static List<Map<String, Object>> objects(Map<String, Object> answer, String name) throws Failure {
        try {
            return Json.objects(answer, name);
        } catch (IOException e) {
            throw strange(e);
        }
    }

    static List<String> texts(Map<String, Object> answer, String name) throws Failure {
        try {
            return Json.texts(answer, name);
        } catch (IOException e) {
            throw strange(e);
        }
    }

    static Map<String, Object> member(Map<String, Object> answer, String name) throws Failure {
        try {
            return Json.member(answer, name);
        } catch (IOException e) {
            throw strange(e);
        }
    }

    private static Failure strange(IOException e) {
        return new Failure(
                Exit.BUG,
                "cli.answer-strange",
                "The node's answer was not understood.",
                e.getMessage() + ".",
                "Use the command of the same version as the node: ./parley version and ./parley status.");
    }
}
