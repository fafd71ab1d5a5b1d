package im.parley.http.internal;

import im.parley.http.HttpRoute.Answer;
import org.eclipse.jetty.http.HttpException;
import org.eclipse.jetty.http.HttpHeader;
import org.eclipse.jetty.server.Request;
import org.eclipse.jetty.server.Response;
import org.eclipse.jetty.server.handler.ErrorHandler;
import org.eclipse.jetty.util.Callback;

/** What Jetty itself refuses, said as problem+json and without echoing the request. */
final class Problems extends ErrorHandler {
    @Override
    public boolean handle(Request request, Response response, Callback callback) {
        int status = response.getStatus();
        if (request.getAttribute(ERROR_EXCEPTION) instanceof HttpException exception) {
            status = exception.getCode();
        }
        Answer answer = switch (status) {
            case 414 -> Answer.problem(status, "http.path-too-long", "The request target is too long.");
            case 431 -> Answer.problem(status, "http.header-too-large", "The headers have more than 8 KiB.");
            case 505 -> Answer.problem(status, "http.version", "Only HTTP/1.1 and HTTP/1.0 are spoken.");
            case 408 -> Answer.problem(status, "http.timeout", "The request did not arrive in time.");
            default ->
                status >= 500
                        ? Answer.problem(
                                status, "http.internal", "The request failed inside the server; its log says why.")
                        : Answer.problem(
                                status, "http.bad-request", "The request is not as HTTP/1.1 (RFC 9112) wants it.");
        };
        if (status == 400) {
            response.getHeaders().put(HttpHeader.CONNECTION, "close");
        }
        Front.answer(request, response, callback, answer);
        return true;
    }
}
