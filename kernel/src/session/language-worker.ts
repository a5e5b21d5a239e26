import type { LanguageQuestion } from "./language.js";
import { LanguageService } from "./language-service.js";
import { serve } from "./serve.js";

const service = new LanguageService(process.cwd());

serve<LanguageQuestion>((question) => {
  switch (question.op) {
    case "addCell":
      return service.addCell(question.count, question.source, question.declared);
    case "forget":
      return service.forget();
    case "warm":
      return service.warm();
    case "check":
      return service.check(question.source);
    case "complete":
      return service.complete(question.source, question.offset);
    case "inspect":
      return service.inspect(question.source, question.offset);
  }
});
