import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.JSONObjectUtils;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.URL;
import java.util.Set;

/** Judges the tokens on stdin, one a line, knowing only the issuer: "good SUBJECT" or "bad WHY" for each. */
public final class Verify {
    private static URL keySetOf(String issuer) throws Exception {
        try (var in = URI.create(issuer + "/.well-known/openid-configuration").toURL().openStream()) {
            var found = JSONObjectUtils.parse(new String(in.readAllBytes()));
            return URI.create(JSONObjectUtils.getString(found, "jwks_uri")).toURL();
        }
    }

    public static void main(String[] arguments) throws Exception {
        String issuer = arguments[0], audience = arguments[1], algorithm = arguments[2];
        // --8<-- [start:verify]
        var keys = JWKSourceBuilder.create(keySetOf(issuer)).build();
        var claims = new DefaultJWTClaimsVerifier<SecurityContext>(
                audience, new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("sub", "exp"));
        claims.setMaxClockSkew(0);
        // Its types are left at "JWT" or none, which is why JWT_TYP=JWT is there.
        var processor = new DefaultJWTProcessor<SecurityContext>();
        processor.setJWSKeySelector(new JWSVerificationKeySelector<>(JWSAlgorithm.parse(algorithm), keys));
        processor.setJWTClaimsSetVerifier(claims);
        // --8<-- [end:verify]
        var lines = new BufferedReader(new InputStreamReader(System.in));
        for (String token = lines.readLine(); token != null; token = lines.readLine()) {
            try {
                System.out.println("good " + processor.process(token, null).getSubject());
            } catch (Exception error) {
                System.out.println("bad " + error.getMessage());
            }
        }
    }
}
